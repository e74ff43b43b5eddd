"""What real devices took stands beside what the laws say of the same jobs."""

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from droidloop.platform.jobs import JOB_DTYPE, Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.device_tables import devices_of, show_devices

EVERY = {"t_us": 0, "phone": 4, "kind": Kind.TRAIN, "modelled_outcome": Outcome.DONE}
EVERY |= dict.fromkeys(("sent_bytes", "load_us", "invoke_us", "cpu_us", "received_bytes"), -1)
EVERY |= {"modelled_up_us": -1, "modelled_energy_uj": 4}
NAMES = (
    *("sent_us", "wall_us", "received_us", "peak_rss_bytes", "energy_uj", "energy_source"),
    *("modelled_down_us", "modelled_compute_us"),
)
TOOK = [
    dict(zip(NAMES, values, strict=True))
    for values in (
        (10, 1_000, 0, 40, -1, "modelled", 5, 1_500),
        (20, 4_000, 0, 40, 8, "power_supply", 10, 3_000),
        (-1, -1, -1, -1, -1, "modelled", 1, 9),
    )
]
"""What the device took for the three jobs."""


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A run with three jobs on one device, of which the last failed and has a log."""
    made = RunDirectory.create(tmp_path / "run", seed=1, scenario={})
    made.write_manifest({**made.manifest(), "devices": {"4": "old one (R58M)"}})
    jobs = np.zeros(3, JOB_DTYPE)
    jobs["job"], jobs["phone"], jobs["kind"], jobs["up_bytes"] = [7, 8, 9], 4, Kind.TRAIN, 5
    jobs["ram_bytes"], jobs["measured"] = [20, 40, 1], True
    jobs["outcome"] = [Outcome.DONE, Outcome.DONE, Outcome.FAILED_RUNNER]
    ledger = made.ledger()
    ledger.write("jobs", jobs)
    for job, took in enumerate(TOOK, 7):
        ledger.note("measures", job=job, **EVERY, **took)
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
