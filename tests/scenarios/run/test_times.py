"""Local data have times: what has not happened on a phone's clock is not learned, nor counted."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import Rows, read
from droidloop.platform.units import DAY_US
from droidloop.scenarios.run.experiment import prepare
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.schema import Scenario

ROUNDS, DAYS = 5, 40


def content(**data: Any) -> dict[str, Any]:
    """Return a scenario of rounds that lie weeks apart."""
    return {
        "name": "times",
        "title": "Phones whose users go on",
        "data": {"items": 30, "interactions": 10, **data},
        "population": {"phones": 12, "ideal": True},
        "model": {"dim": 4},
        "protocol": {"rounds": ROUNDS, "every_s": DAYS * DAY_US / 1e6, "min_battery": 0.0},
        "delivery": {"variant": "none"},
        "evaluation": {"baselines": [], "candidates": 10},
    }


def trained(folder: Path, **data: Any) -> Rows:
    """Return the training jobs of a run, by round and phone."""
    execute(Scenario.of(content(**data)), folder, replay=None, progress=lambda *_: None)
    jobs = read(folder, "jobs")
    return np.sort(jobs[jobs["kind"] == Kind.TRAIN], order=("round", "phone"))


def test_what_users_do_while_the_run_goes_on_is_learned_when_it_has_happened(
    tmp_path: Path,
) -> None:
    train = prepare(Scenario.of(content())).task.split.train
    middle_s = float(np.median(train.times_s))
    jobs = trained(tmp_path / "run", clock_starts_s=middle_s)
    flops = jobs["flops"].reshape(ROUNDS, -1)
    assert (np.diff(flops, axis=0) >= 0).all(), "nothing is forgotten"
    whole = trained(tmp_path / "whole")["flops"].reshape(ROUNDS, -1)
    assert (flops[0] < whole[0]).any()
    owners = np.repeat(np.arange(train.n_users), train.counts)
    for number in range(ROUNDS):
        until_s = middle_s + number * DAYS * DAY_US / 1e6
        known = np.bincount(owners[train.times_s <= until_s], minlength=train.n_users)
        same = known == train.counts
        np.testing.assert_array_equal(flops[number][same], whole[number][same])
        assert (flops[number][~same] < whole[number][~same]).all()


def test_a_clock_that_starts_after_all_events_changes_nothing(tmp_path: Path) -> None:
    latest_s = float(prepare(Scenario.of(content())).task.split.train.times_s.max())
    late = trained(tmp_path / "late", clock_starts_s=latest_s + 1.0)
    np.testing.assert_array_equal(late, trained(tmp_path / "whole"))
