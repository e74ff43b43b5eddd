"""Releases while training goes on: who holds which version, and what each list comes from."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read
from droidloop.scenarios.schema.load import find, load
from tests.scenarios.conftest import Command

SETTINGS = [
    *("protocol.rounds=8", "protocol.every_s=3600.0", "delivery.when=every", "delivery.every=2"),
    *("delivery.deadline_s=7200.0", "delivery.run_within_s=1800.0"),
    "evaluation.baselines=['popularity']",
]


@pytest.fixture(scope="module")
def jobs(command: Command, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """The jobs of a run that ships every second turn."""
    out = tmp_path_factory.mktemp("releases") / "run"
    options = [part for one in SETTINGS for part in ("--set", one)]
    answer = command("run", small, "--json", "--out", out, *options)
    assert answer.exit_code == 0, answer.output
    return read(out, "jobs")


def held(jobs: Rows, phone: int, t_us: int) -> int:
    """Return the version that *phone* holds at that time, by its deliveries; -1: none."""
    mine = jobs[(jobs["phone"] == phone) & (jobs["kind"] == Kind.DELIVER)]
    mine = mine[(mine["outcome"] == Outcome.DONE) & (mine["finish_us"] <= t_us)]
    return int(mine["version"][np.argmax(mine["finish_us"])]) if len(mine) else -1


def test_training_goes_on_while_versions_go_out(jobs: Rows) -> None:
    deliver, train = jobs[jobs["kind"] == Kind.DELIVER], jobs[jobs["kind"] == Kind.TRAIN]
    assert set(deliver["version"]) == {2, 4, 6, 8}
    assert train["plan_us"].max() > deliver["plan_us"].min()


def test_every_list_comes_from_the_version_that_its_phone_holds(jobs: Rows) -> None:
    lists = jobs[jobs["kind"] == Kind.INFER]
    for row in lists:
        assert row["version"] == held(jobs, row["phone"], row["plan_us"])
        assert row["version"] == held(jobs, row["phone"], row["start_us"])
    assert len(lists) > 0


def test_phones_hold_different_versions_at_one_time(jobs: Rows) -> None:
    lists = jobs[jobs["kind"] == Kind.INFER]
    at_once = [set(lists["version"][lists["plan_us"] == t]) for t in np.unique(lists["plan_us"])]
    assert max(map(len, at_once)) > 1


def test_the_library_ships_four_versions_in_a_week_of_which_one_is_bad() -> None:
    scenario = load(find("releases"))
    assert scenario.protocol.rounds * scenario.protocol.every_s == 7 * 86400
    assert len(scenario.delivery.at_h) == 4
    assert [one.release for one in scenario.delivery.planted] == [3]
