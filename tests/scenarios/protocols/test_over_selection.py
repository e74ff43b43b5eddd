"""Rounds that ask more phones than they need: the first that answer count, the others are cut."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.scenarios.killed_runs import COMMON, WAYS, digest

SETTINGS = [*COMMON, *WAYS["over-selecting rounds"], "protocol.rounds=6"]


def run(file: Path, out: Path, *settings: str) -> Path:
    """Play it."""
    scenario = load(file, [*SETTINGS, *settings])
    execute(scenario, out, replay=None, progress=lambda *_: None)
    return out


def test_as_many_answers_count_as_are_wanted_and_who_is_later_is_cut(
    small: Path, tmp_path: Path
) -> None:
    jobs = read(run(small, tmp_path / "run"), "jobs")
    cut = jobs[jobs["outcome"] == Outcome.CUT_OFF]
    assert len(cut) > 0
    for number in np.unique(cut["round"]):
        mine = jobs[jobs["round"] == number]
        done = mine[mine["outcome"] == Outcome.DONE]
        assert len(done) == 8
        assert done["finish_us"].max() < cut["finish_us"][cut["round"] == number].min()


def test_a_round_starts_when_the_last_one_has_ended(small: Path, tmp_path: Path) -> None:
    jobs = read(run(small, tmp_path / "run"), "jobs")
    for number in range(1, 6):
        before = jobs[jobs["round"] == number - 1]
        last = before["finish_us"][before["outcome"] != Outcome.CUT_OFF].max()
        assert set(jobs["plan_us"][jobs["round"] == number]) <= {last}


def test_cohort_and_exact_play_cut_the_same_phones(small: Path, tmp_path: Path) -> None:
    cohort = run(small, tmp_path / "cohort")
    assert digest(run(small, tmp_path / "exact", "play=exact")) == digest(cohort)


def test_over_selection_needs_to_know_how_many_are_wanted(small: Path) -> None:
    with pytest.raises(ScenarioError, match=r"over_select = 1\.5 .*set protocol\.clients"):
        load(small, ["protocol.over_select=1.5"])


def test_a_round_with_a_period_ends_before_the_next(small: Path) -> None:
    with pytest.raises(ScenarioError, match="a round must end before the next"):
        load(small, ["protocol.every_s=10.0"])
