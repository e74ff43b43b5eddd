"""A plan of faults in a run: what each kind does, in both plays and after a kill."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.platform.registry import names
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import HOUR_US
from droidloop.scenarios.pages.run_charts import charts_of
from droidloop.scenarios.reports.fault_facts import fault_lines, windows_of
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import resume
from droidloop.scenarios.schema.load import check
from tests.scenarios.churning import happened, played, scenario
from tests.scenarios.killed_runs import digest
from tests.scenarios.run.test_resume import KilledError, killed_in

EVERYTHING: list[dict[str, Any]] = [
    {"kind": "server-down", "at_h": [2.2], "lasts_h": 0.5},
    {"kind": "links-flap", "every_h": 0.5, "lasts_h": 0.5, "down_s": 20.0, "share": 0.5},
    {"kind": "region-dark", "at_h": [1.0, 4.0], "lasts_h": 1.5, "region": "urban"},
    {"kind": "clocks-wrong", "every_h": 1.0, "lasts_h": 1.0, "ahead_s": 2990.0},
    {"kind": "phones-die", "at_h": [3.01], "lasts_h": 0.7, "share": 0.6},
    {"kind": "device-reboots", "every_h": 0.4, "phones": [2, 3]},
    {"kind": "storage-full", "at_h": [0.0], "lasts_h": 9.0, "phones": [1]},
    {"kind": "bad-release", "at_h": [0.0], "lasts_h": 9.0},
    {"kind": "adb-server-gone", "at_h": [1.0]},
]


def jobs_of(folder: Path) -> Rows:
    return read(folder, "jobs")


def test_the_plan_above_has_every_kind() -> None:
    assert {one["kind"] for one in EVERYTHING} == set(names("fault"))


@pytest.mark.parametrize("way", ["rounds", "buffered", "gossip"])
def test_both_plays_give_the_same_bytes(tmp_path: Path, way: str) -> None:
    for play in ("cohort", "exact"):
        played(scenario(way, faults=EVERYTHING, play=play), tmp_path / play)
    assert digest(tmp_path / "cohort") == digest(tmp_path / "exact")
    played(scenario(way), tmp_path / "without")
    assert (
        digest(tmp_path / "cohort")["jobs/000000.parquet"]
        != (digest(tmp_path / "without")["jobs/000000.parquet"])
    )


def test_a_killed_run_goes_on_with_its_faults(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    from droidloop.scenarios.run.run import execute

    one = scenario("rounds", faults=EVERYTHING)
    played(one, tmp_path / "whole")
    with pytest.raises(KilledError):
        execute(one, tmp_path / "killed", replay=None, progress=killed_in(4))
    resume(tmp_path / "killed", progress=lambda *_: None)
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


def test_a_server_that_is_down_is_reached_by_nobody(tmp_path: Path) -> None:
    fault = {"kind": "server-down", "at_h": [1.5], "lasts_h": 2.0}
    answer = played(scenario("rounds", faults=[fault]), tmp_path / "run")
    jobs = jobs_of(tmp_path / "run")
    down = (jobs["plan_us"] >= 1.5 * HOUR_US) & (jobs["plan_us"] < 3.5 * HOUR_US)
    assert not down.any()
    assert (jobs["plan_us"] >= 3.5 * HOUR_US).any()
    assert answer["faults"] == {"server-down": {"times": 1, "hours": 2.0}}
    [chart] = [
        one for one in charts_of(RunDirectory.open(tmp_path / "run")) if one.name == "faults"
    ]
    assert [(row["low"], row["high"]) for row in chart.rows] == [(1.5, 3.5)]
    assert fault_lines(answer) == ["faults: server-down 1 times, 2 h"]
    assert happened(tmp_path / "run", "fault") == [
        (1.5, -1, "server-down"),
        (3.5, -1, "server-down"),
    ]


def test_only_the_phones_of_a_dark_region_are_cut_off(tmp_path: Path) -> None:
    fault = {"kind": "region-dark", "at_h": [0.0], "lasts_h": 99.0, "region": "urban"}
    played(scenario("rounds", faults=[fault]), tmp_path / "run")
    devices = read(tmp_path / "run", "devices")
    urban = devices["phone"][devices["region"] == b"urban"]
    asked = np.unique(jobs_of(tmp_path / "run")["phone"])
    assert len(urban)
    assert len(asked)
    assert not np.isin(asked, urban).any()


def test_a_wrong_clock_gives_up_at_once(tmp_path: Path) -> None:
    fault = {"kind": "clocks-wrong", "at_h": [0.0], "lasts_h": 99.0, "ahead_s": 3000.0}
    played(scenario("rounds", faults=[{**fault, "phones": [0, 1, 2, 3, 4]}]), tmp_path / "run")
    jobs = jobs_of(tmp_path / "run")
    wrong = jobs["phone"] < 5
    assert wrong.any()
    assert not (jobs["outcome"][wrong] == Outcome.DONE).any()
    assert (jobs["outcome"][~wrong] == Outcome.DONE).any()
    assert (jobs["finish_us"][wrong] >= jobs["plan_us"][wrong]).all()


def test_what_dying_phones_compute_is_lost(tmp_path: Path) -> None:
    slow = {"data": {"items": 3000, "interactions": 900}}
    whole = scenario("rounds", **slow)
    played(whole, tmp_path / "whole")
    jobs = jobs_of(tmp_path / "whole")
    lasting = jobs[(jobs["compute_end_us"] - jobs["down_end_us"]) > 1000]
    middle_us = int(lasting["down_end_us"][0] + lasting["compute_end_us"][0]) // 2
    fault = {"kind": "phones-die", "at_h": [middle_us / HOUR_US], "lasts_h": 0.2}
    played(scenario("rounds", faults=[fault], **slow), tmp_path / "run")
    outcomes = jobs_of(tmp_path / "run")["outcome"]
    assert (outcomes == Outcome.LOST_KILLED).any()
    assert not (jobs["outcome"] == Outcome.LOST_KILLED).any()


def test_a_fault_of_no_phone_and_no_region_is_refused(tmp_path: Path) -> None:
    for fault, said in (
        ({"kind": "phones-die", "at_h": [1.0], "phones": [99]}, "there is no phone 99"),
        ({"kind": "region-dark", "at_h": [1.0], "region": "moon"}, "is not in population.regions"),
    ):
        with pytest.raises(ScenarioError, match=said):
            played(scenario("rounds", faults=[fault]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"kind": "server-down"}, "give at_h or every_h"),
        ({"kind": "server-down", "at_h": [1.0], "every_h": 2.0}, "give at_h or every_h"),
        ({"kind": "server-down", "at_h": [1.0, 1.5]}, "begins anew before it has ended"),
        ({"kind": "server-downn", "at_h": [1.0]}, "did you mean 'server-down'"),
        ({"at_h": [1.0]}, "names no kind"),
        ({"kind": "server-down", "at_h": [-1.0]}, "greater than or equal to 0"),
    ],
)
def test_a_plan_that_makes_no_sense_is_one_line(fault: dict[str, Any], said: str) -> None:
    content = {"name": "a", "title": "b", "faults": [fault]}
    with pytest.raises(ScenarioError, match=said) as caught:
        check(content, "a.toml")
    assert len(str(caught.value).splitlines()) == 1


def test_what_is_on_at_the_end_lasts_until_then(tmp_path: Path) -> None:
    fault = {"kind": "storage-full", "at_h": [0.5], "lasts_h": 999.0}
    played(scenario("rounds", faults=[fault]), tmp_path / "run")
    [(name, since_us, until_us)] = windows_of(read(tmp_path / "run", "events"), 7 * HOUR_US)
    assert (name, since_us, until_us) == ("storage-full", HOUR_US // 2, 7 * HOUR_US)
    assert not (jobs_of(tmp_path / "run")["kind"] == Kind.DELIVER).any()
