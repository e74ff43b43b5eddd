"""Groups: phones report, a server groups them, members teach one another and nobody else."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from droidloop.models.learning.learning import PeerLearning
from droidloop.network.topology import components
from droidloop.platform.draws import Draws
from droidloop.platform.ledger import read
from droidloop.platform.messages import HEADER_BYTES
from droidloop.scenarios.protocols.groups import (
    GROUP_BYTES,
    SemiDecentralised,
    within_groups,
)
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from tests.scenarios.small_worlds import PHONES, Halves, playing, values, whispering

SECTION = section_with(
    "protocol",
    "groups",
    rounds=18,
    every_s=3600.0,
    deadline_s=1800.0,
    min_battery=0.0,
    groups=2,
    regroup_rounds=6,
)


def play(society: PeerLearning, folder: Path, *, exact: bool = False) -> Path:
    """Run groups of odd and even phones."""

    def make(stage: ProtocolContext) -> SemiDecentralised:
        return SemiDecentralised(stage, replace(society, grouping=Halves()), SECTION)

    return playing(folder, make, exact=exact)


def test_members_hear_of_their_group_and_of_nobody_else(tmp_path: Path) -> None:
    society = whispering()
    play(society, tmp_path)
    heard = society.store.gather(np.arange(PHONES))["heard"]
    same = np.arange(PHONES)[:, None] % 2 == np.arange(PHONES) % 2
    assert not heard[~same].any()
    assert heard[same].sum() > 2 * PHONES
    assert values(tmp_path, "groups", "groups") == [2, 2, 2]


def test_reports_and_answers_are_jobs_with_their_bytes(tmp_path: Path) -> None:
    play(whispering(), tmp_path)
    jobs = read(tmp_path, "jobs")
    reports = jobs[jobs["up_bytes"] == HEADER_BYTES + 8]
    answers = jobs[(jobs["down_bytes"] == GROUP_BYTES) & (jobs["up_bytes"] == 0)]
    assert set(reports["round"].tolist()) == set(answers["round"].tolist()) == {0, 6, 12}
    assert (reports["outcome"] == 1).sum() == len(answers) > 0


def test_exact_and_cohort_play_give_the_same_ledger(tmp_path: Path) -> None:
    for exact in (False, True):
        play(whispering(), tmp_path / str(exact), exact=exact)
    for table in ("jobs", "events"):
        assert np.array_equal(read(tmp_path / "False", table), read(tmp_path / "True", table))


def test_links_stay_within_groups_and_connect_them() -> None:
    group = np.array([0, 1, 0, 1, 0, -1, 1, 0, 2])
    topology = within_groups(group, 4, Draws(1, "links"), 0)
    for a, b in topology.edges.tolist():
        assert group[a] == group[b] >= 0
    whole = components(topology)
    for number in (0, 1):
        assert len(set(whole[group == number].tolist())) == 1
    assert topology.degrees[[5, 8]].tolist() == [0, 0]
    assert topology.degrees.max() <= 4
    assert (topology.edges != within_groups(group, 2, Draws(1, "links"), 1).edges.shape).any()
