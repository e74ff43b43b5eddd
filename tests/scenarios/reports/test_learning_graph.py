"""Who learned from whom, counted from the ledger."""

import json
from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.learning_graph import LearningGraph, teaching_of
from tests.scenarios.conftest import Command
from tests.scenarios.run.test_mixed import play

GOSSIP = {
    "training.rule": "gossip-mf",
    "protocol.kind": "gossip",
    "protocol.topology.kind": "complete",
    "delivery.variant": "none",
    "population.phones": 12,
}
GROUPS = {
    "training.rule": "gossip-mf",
    "protocol.kind": "groups",
    "protocol.groups": 3,
    "protocol.regroup_rounds": 4,
    "protocol.rounds": 6,
    "protocol.mode": "pull",
    "delivery.variant": "none",
    "population.phones": 30,
}
BY_HAND = LearningGraph(
    learner=np.array([1, 1, 2, 0]),
    teacher=np.array([0, 0, 0, 2]),
    round=np.array([0, 1, 1, 1]),
    classes=["new", "old"],
    phone_class=np.array([0, 1, 1, 0]),
    group=None,
    since=1,
)


@pytest.fixture(scope="module")
def gossip(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return RunDirectory.open(play(tmp_path_factory.mktemp("gossip") / "run", {}, GOSSIP))


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    return RunDirectory.open(play(tmp_path_factory.mktemp("groups") / "run", {}, GROUPS))


def test_links_lead_from_teacher_to_learner_and_count_from_the_last_grouping() -> None:
    pairs, counts = BY_HAND.links()
    assert pairs.tolist() == [[0, 1], [0, 2], [2, 0]]
    assert counts.tolist() == [1, 1, 1]


def test_classes_teachers_and_learners_count_all_messages() -> None:
    assert BY_HAND.between_classes().tolist() == [[0, 3], [1, 0]]
    assert BY_HAND.teachers().tolist() == [1, 1, 1, 0]
    assert BY_HAND.learners().tolist() == [2, 0, 1, 0]


def test_every_message_that_a_run_learned_from_is_there(gossip: RunDirectory) -> None:
    teaching = teaching_of(gossip)
    events = read(gossip.path, "events")
    told = (events["kind"] == b"round") & (events["name"] == b"messages")
    assert len(teaching.learner) == events["value"][told].sum() > 0
    assert teaching.between_classes().sum() == len(teaching.learner)
    assert (teaching.learner != teaching.teacher).all()
    assert teaching.group is None


def test_phones_of_one_group_taught_one_another_since_the_last_grouping(
    groups: RunDirectory,
) -> None:
    teaching = teaching_of(groups)
    assert teaching.since == 4
    assert teaching.group is not None
    pairs, _ = teaching.links()
    assert len(pairs)
    assert (teaching.group[pairs[:, 0]] == teaching.group[pairs[:, 1]]).all()
    assert len(np.unique(teaching.group)) == 3


def test_a_run_with_a_server_has_no_such_picture(
    command: Command, runs: dict[str, RunDirectory], tmp_path: Path
) -> None:
    path = tmp_path / "topology.png"
    with pytest.raises(UsageError, match="no phone learned from another"):
        teaching_of(runs["cohort"])
    result = command("report", runs["cohort"].path, "--topology", path)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not path.exists()


def test_a_run_is_drawn_twice_alike_and_reported(
    command: Command, groups: RunDirectory, tmp_path: Path
) -> None:
    paths = [tmp_path / "one.png", tmp_path / "two"]
    for path in paths:
        result = command("report", groups.path, "--topology", path, "--json")
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)[0]["seed"] == 3
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(b"\x89PNG")
    assert first == second


@pytest.mark.parametrize("option", ["--topology", "--picture"])
def test_a_picture_that_cannot_be_written_is_one_line(
    command: Command, groups: RunDirectory, tmp_path: Path, option: str
) -> None:
    result = command("report", groups.path, option, tmp_path / "absent" / "a.png", "--json")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "cannot be written" in result.stderr
