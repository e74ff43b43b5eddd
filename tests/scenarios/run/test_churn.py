"""Phones come, go and come back; whoever asks is forgotten; all of it to the same bytes."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.models.unlearning.unlearner import Unlearner
from droidloop.platform.checkpoint import NAME
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.run.whole import Progress
from droidloop.scenarios.schema.schema import Scenario
from tests.scenarios.churning import GONE, LEAVES_H, WAYS, happened, played, scenario
from tests.scenarios.killed_runs import digest

WITH_A_SERVER = ("rounds", "over-selecting", "buffered")
COMBINATIONS = [
    *((way, kind) for way in WITH_A_SERVER for kind in ("retrain", "fru")),
    *(("rounds", kind) for kind in ("none", "ascent", "rapid")),
    *(("ego graphs", kind) for kind in ("fru", "ascent")),
    *(("gossip", "retrain"), ("groups", "retrain"), ("local", "none")),
]


class KilledError(Exception):
    """Stands for the end of the process."""


def killed_in(turn: int) -> Progress:
    def progress(stage: str, done: int, total: int) -> None:
        if stage == "training" and done == turn:
            raise KilledError

    return progress


@pytest.fixture(autouse=True)
def at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have checkpoints be written whatever they cost."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)


@pytest.mark.parametrize(("way", "kind"), COMBINATIONS)
def test_it_is_the_same_however_it_is_played(tmp_path: Path, way: str, kind: str) -> None:
    """In cohorts, phone by phone, and killed after the first was forgotten and gone on with."""
    one = scenario(way, {"kind": kind})
    played(one, tmp_path / "cohort")
    played(one.model_copy(update={"play": "exact"}), tmp_path / "exact")
    assert digest(tmp_path / "exact") == digest(tmp_path / "cohort")
    with pytest.raises(KilledError):
        execute(one, tmp_path / "killed", replay=None, progress=killed_in(5))
    assert (tmp_path / "killed" / NAME).exists()
    resume(tmp_path / "killed", progress=lambda *_: None)
    assert digest(tmp_path / "killed") == digest(tmp_path / "cohort")
    assert len(happened(tmp_path / "cohort", "forgotten")) >= 2


def rarely_charged(folder: Path, way: str) -> Scenario:
    """Return a scenario of four days in which phones get ten minutes of power a day."""
    windows = [f"one,{day * 86_400},{day * 86_400 + 600}" for day in range(5)]
    (folder / "windows.csv").write_text("\n".join(["device,start_s,end_s", *windows, ""]))
    slow = {} if way == "gossip" else {"deadline_s": 11 * 3600.0}
    protocol = dict(WAYS[way][0]) | slow | {"rounds": 8, "every_s": 12 * 3600.0}
    return scenario(
        way,
        churn={"empty_share": 0.7, "lifetime_days": 2, "return_share": 1, "absence_days": 0.2},
        population={"phones": 40, "charging_windows": str(folder / "windows.csv")},
        protocol=protocol | {"min_battery": 0.0},
    )


@pytest.mark.parametrize("way", ["rounds", "buffered", "gossip"])
def test_phones_that_are_gone_for_good_when_empty_are_so_however_it_is_played(
    tmp_path: Path, way: str
) -> None:
    one = rarely_charged(tmp_path, way)
    answer = played(one, tmp_path / "cohort")
    played(one.model_copy(update={"play": "exact"}), tmp_path / "exact")
    assert digest(tmp_path / "exact") == digest(tmp_path / "cohort")
    with pytest.raises(KilledError):
        execute(one, tmp_path / "killed", replay=None, progress=killed_in(6))
    resume(tmp_path / "killed", progress=lambda *_: None)
    assert digest(tmp_path / "killed") == digest(tmp_path / "cohort")
    found = happened(tmp_path / "cohort", "churn")
    gone_us = read(tmp_path / "cohort", "devices")["given_up_us"]
    empty = {phone: gone_us[phone] / 3.6e9 for phone in np.flatnonzero(gone_us).tolist()}
    assert answer["churn"]["left-empty"] == len(empty) >= 5
    back = [(hour, phone) for hour, phone, name in found if name in ("came", "returned")]
    assert back
    assert not [phone for hour, phone in back if hour > empty.get(phone, np.inf)]
    jobs = read(tmp_path / "cohort", "jobs")
    mine = jobs[jobs["plan_us"] / 3.6e9 > np.array([empty.get(k, np.inf) for k in jobs["phone"]])]
    assert (mine["outcome"] == Outcome.LOST_LEFT).all()


def test_the_ledger_says_who_came_and_went_when_and_how(tmp_path: Path) -> None:
    played(scenario(), tmp_path / "run")
    found = happened(tmp_path / "run", "churn")
    assert (LEAVES_H - 1, GONE, "asks-to-be-forgotten") in found
    assert (LEAVES_H, GONE, "left-forget") in found
    mine = [(name, round(hour, 6)) for hour, phone, name in found if phone == 5]
    assert mine == [("announced", 0.3), ("left-announced", 1.3), ("returned", 3.1)]
    assert [name for _, phone, name in found if phone in (6, 7)] == [
        *("left-silent", "left-silent", "replaced", "replaced"),
    ]


def test_nobody_is_asked_for_anything_while_away(tmp_path: Path) -> None:
    played(scenario(), tmp_path / "run")
    jobs = read(tmp_path / "run", "jobs")
    mine = jobs["plan_us"][jobs["phone"] == 5] / 3.6e9
    assert not ((mine > 1.3) & (mine < 3.1)).any()
    assert (mine > 3.1).any()


def test_who_comes_back_with_another_phone_has_its_class_and_every_joule_is_accounted_for(
    tmp_path: Path,
) -> None:
    played(scenario(), tmp_path / "run")
    devices = read(tmp_path / "run", "devices")
    assert (devices["profile"][[6, 7]] == b"2024-12gb").all()
    spent = sum(devices[f"{one}_uj"] for one in ("promotion", "radio", "tail", "cpu", "own"))
    held = devices["battery_before_uj"] + devices["accepted_uj"] - devices["battery_after_uj"]
    assert np.array_equal(held, spent)


def test_what_unlearning_took_is_in_the_ledger_and_the_summary(tmp_path: Path) -> None:
    answer = played(scenario("rounds", {"kind": "retrain"}), tmp_path / "run")
    jobs = read(tmp_path / "run", "jobs")
    mine = jobs[jobs["kind"] == Kind.UNLEARN]
    assert len(mine)
    assert answer["unlearning"] == {
        "kind": "retrain",
        "phones": 1,
        "turns": 4,
        "jobs": len(mine),
        "down_bytes": int(mine["downloaded_bytes"].sum()),
        "up_bytes": int(mine["uploaded_bytes"].sum()),
        "energy_j": pytest.approx(mine["energy_uj"].sum() / 1e6),
        "hours": pytest.approx(3.5, abs=0.01),
    }
    assert answer["churn"]["left-forget"] == 1
    assert answer["churn"]["replaced"] == 2


@pytest.mark.parametrize("kind", ["retrain", "fru"])
def test_a_run_that_is_killed_while_it_forgets_goes_on_forgetting(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = scenario("rounds", {"kind": kind})
    played(one, tmp_path / "whole")
    with monkeypatch.context() as patched:

        def killed(self: object, turn: int) -> None:
            if turn == 2:
                raise KilledError

        patched.setattr(Unlearner, "closed", killed)
        with pytest.raises(KilledError):
            played(one, tmp_path / "killed")
    resume(tmp_path / "killed", progress=lambda *_: None)
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")
