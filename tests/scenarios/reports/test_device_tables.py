"""What real devices took stands beside what the laws say of the same jobs."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from droidloop.platform.jobs import JOB_DTYPE, Kind, Outcome
from droidloop.platform.ledger import MEASURE_DTYPE, read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.device_tables import devices_of, show_devices


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run with three jobs on one device, of which the last failed and has a log."""
    made = RunDirectory.create(tmp_path / "run", seed=1, scenario={})
    made.write_manifest({**made.manifest(), "devices": {"4": "old one (R58M)"}})
    jobs, measures = np.zeros(3, JOB_DTYPE), np.full(3, -1, MEASURE_DTYPE)
    jobs["job"], jobs["phone"], jobs["kind"], jobs["up_bytes"] = [7, 8, 9], 4, Kind.TRAIN, 5
    jobs["ram_bytes"], jobs["measured"] = [20, 40, 1], True
    jobs["outcome"] = [Outcome.DONE, Outcome.DONE, Outcome.FAILED_RUNNER]
    for name in ("job", "phone", "kind"):
        measures[name] = jobs[name]
    measures["t_us"], measures["modelled_outcome"] = 0, Outcome.DONE
    measures["sent_us"], measures["received_us"] = [10, 20, -1], [0, 0, -1]
    measures["wall_us"], measures["modelled_compute_us"] = [1_000, 4_000, -1], [1_500, 3_000, 9]
    measures["modelled_down_us"] = [5, 10, 1]
    measures["peak_rss_bytes"] = [40, 40, -1]
    measures["energy_uj"], measures["energy_source"] = (
        [-1, 8, -1],
        [b"modelled", b"power_supply", b""],
    )
    measures["modelled_energy_uj"] = 4
    ledger = made.ledger()
    ledger.write("jobs", jobs)
    ledger.write("measures", measures)
    ledger.close()
    (made.path / "failed").mkdir()
    (made.path / "failed" / "9-runner.log").write_text("its last words")
    return made


def test_errors_are_those_of_each_job(run: RunDirectory) -> None:
    jobs = read(run.path, "jobs")
    [(serial, facts)] = devices_of(run, jobs).items()
    assert (serial, facts["phone"], facts["failed"]) == ("old one (R58M)", 4, 1)
    assert facts["logs"] == ["failed/9-runner.log"]
    train = facts["kinds"]["train"]
    assert (train["jobs"], train["compared"]) == (3, 2)
    assert train["compute_s"] == {"measured": 0.0025, "modelled": 0.00225, "error": 0.375}
    assert train["receive_s"]["error"] == 0.5
    assert train["memory_bytes"]["error"] == pytest.approx(0.25)
    assert train["energy_j"] == {"measured": 8e-6, "modelled": 4e-6, "error": 0.5}
    assert train["send_s"]["measured"] is None


def test_people_see_both_and_the_error(
    run: RunDirectory, capsys: pytest.CaptureFixture[str]
) -> None:
    show_devices(devices_of(run, read(run.path, "jobs")), Console(width=160))
    text = capsys.readouterr().out
    assert "old one (R58M) as phone 4, 1 failed" in text
    assert "0.0025 / 0.00225 (38%)" in text
    assert "logs of failed jobs: failed/9-runner.log" in text
