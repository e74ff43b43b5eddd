"""Gossip: one job a turn, messages wait in a relay, what did not arrive teaches nobody."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from droidloop.models.learning.learning import PeerLearning
from droidloop.network.generators import ring
from droidloop.network.topology import Topology, from_edges
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.messages import HEADER_BYTES, SERVER, Messages
from droidloop.scenarios.protocols.relay import Relay
from droidloop.scenarios.protocols.relayed_gossip import Gossip, choose_partners
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.chosen import section_with
from tests.scenarios.small_worlds import PHONES, playing, values, whispering

Mode = Literal["push", "pull", "push-pull"]
MESSAGE_BYTES = HEADER_BYTES + PHONES
MODES: list[Mode] = ["push", "pull", "push-pull"]


def gossip(
    society: PeerLearning,
    mode: Mode,
    topology: Topology,
    turns: int = 12,
    keep_turns: int = 4,
    fan: int = 1,
) -> object:
    """Return what makes the protocol of a stage."""
    times = {"rounds": turns, "every_s": 3600.0, "deadline_s": 1800.0}
    section = section_with("protocol", "gossip", **times, min_battery=0.0, mode=mode)

    def make(stage: ProtocolContext) -> Gossip:
        return Gossip(stage, society, section, mode, keep_turns, fan, lambda: topology)

    return make


@pytest.mark.parametrize("mode", MODES)
def test_exact_and_cohort_play_give_the_same_ledger_and_the_same_models(
    tmp_path: Path, mode: Mode
) -> None:
    heard = []
    for exact in (False, True):
        society = whispering()
        play = gossip(society, mode, ring(PHONES, 4))
        playing(tmp_path / str(exact), play, exact=exact)  # type: ignore[arg-type]
        heard.append(society.store.gather(np.arange(PHONES)))
    for name, values_ in heard[0].items():
        assert np.array_equal(values_, heard[1][name]), name
    for table in ("jobs", "events"):
        assert np.array_equal(read(tmp_path / "False", table), read(tmp_path / "True", table))


@pytest.mark.parametrize("mode", MODES)
def test_bytes_of_every_message_are_counted_on_both_links(tmp_path: Path, mode: Mode) -> None:
    society = whispering()
    playing(tmp_path, gossip(society, mode, ring(PHONES, 4)))  # type: ignore[arg-type]
    jobs = read(tmp_path, "jobs")
    assert set(jobs["kind"].tolist()) == {Kind.EXCHANGE}
    assert set((jobs["up_bytes"] % MESSAGE_BYTES).tolist()) == {0}
    merged = society.store.gather(np.arange(PHONES))["messages"].sum()
    learned = jobs[jobs["compute_end_us"] >= 0]
    assert learned["down_bytes"].sum() == merged * MESSAGE_BYTES
    assert merged > PHONES
    assert sum(values(tmp_path, "round", "learned")) == len(learned)


def test_a_phone_hears_only_of_those_that_the_topology_leads_to(tmp_path: Path) -> None:
    """Two halves without an edge between them: no name crosses, however long they talk."""
    society, half = whispering(), PHONES // 2
    pairs = [(a, b) for a in range(PHONES) for b in range(a) if (a < half) == (b < half)]
    playing(tmp_path, gossip(society, "push-pull", from_edges(PHONES, pairs), turns=20))  # type: ignore[arg-type]
    heard = society.store.gather(np.arange(PHONES))["heard"]
    assert not heard[:half, half:].any()
    assert not heard[half:, :half].any()
    assert heard[:half, :half].sum() > 3 * half


def test_phones_without_a_neighbour_learn_alone_and_send_nothing(tmp_path: Path) -> None:
    society = whispering()
    playing(tmp_path, gossip(society, "push", from_edges(PHONES, [])))  # type: ignore[arg-type]
    jobs = read(tmp_path, "jobs")
    assert jobs["up_bytes"].sum() == 0
    assert jobs["down_bytes"].sum() == 0
    columns = society.store.gather(np.arange(PHONES))
    assert columns["messages"].sum() == 0
    assert columns["turns"].sum() == (jobs["compute_end_us"] >= 0).sum() > 0


def test_on_ideal_phones_everything_that_is_told_is_heard_in_the_next_turn(tmp_path: Path) -> None:
    society = whispering()
    playing(tmp_path, gossip(society, "push", ring(PHONES, 4), turns=5), ideal=True)  # type: ignore[arg-type]
    assert values(tmp_path, "round", "done") == [PHONES] * 5
    assert values(tmp_path, "round", "messages") == [0, *[PHONES] * 4]
    assert values(tmp_path, "round", "expired") == [0] * 5


def test_what_is_told_to_several_neighbours_goes_up_once_and_down_to_each(tmp_path: Path) -> None:
    society = whispering()
    play = gossip(society, "push", ring(PHONES, 4), turns=5, fan=3)
    playing(tmp_path, play, ideal=True)  # type: ignore[arg-type]
    jobs = read(tmp_path, "jobs")
    assert values(tmp_path, "round", "messages") == [0, *[3 * PHONES] * 4]
    assert jobs["up_bytes"].tolist() == [MESSAGE_BYTES] * len(jobs)
    assert jobs["down_bytes"].sum() == 4 * 3 * PHONES * MESSAGE_BYTES


@pytest.mark.parametrize("fan", [1, 3])
def test_partners_are_drawn_evenly_among_the_neighbours_and_none_twice(fan: int) -> None:
    topology, phones = ring(10, 4), np.arange(10)
    drawn = np.array(
        [choose_partners(topology, phones, Draws(1, "p"), n, fan) for n in range(2000)]
    )
    assert drawn.shape == (2000, 10, fan)
    assert (np.diff(np.sort(drawn, axis=2), axis=2) > 0).all()
    for k in range(fan):
        counts = np.bincount(drawn[:, 0, k], minlength=10)
        assert set(np.flatnonzero(counts).tolist()) == {1, 2, 8, 9}
        assert counts[[1, 2, 8, 9]].min() > 400


def test_who_has_too_few_neighbours_chooses_all_of_them() -> None:
    few = choose_partners(from_edges(4, [(0, 1), (0, 2)]), np.arange(4), Draws(1, "p"), 0, 2)
    assert sorted(few[0].tolist()) == [1, 2]
    assert few[1:].tolist() == [[0, SERVER], [0, SERVER], [SERVER, SERVER]]


def message(sender: int, receiver: int, value: float) -> Messages:
    """Return one message."""
    one = np.ones(1, np.int64)
    arrays = {"x": np.array([value])}
    offsets = {"x": np.array([0, 1])}
    return Messages("x", sender * one, receiver * one, arrays, np.ones(1), one, offsets=offsets)


def test_the_relay_hands_out_by_receiver_in_the_order_of_arrival_and_once() -> None:
    relay = Relay(5)
    for sender, receiver, arrived in ((0, 3, 30), (1, 3, 10), (2, 4, 5)):
        relay.put(message(sender, receiver, sender), np.array([arrived]), 0)
    [found] = relay.waiting(np.array([3, 4]))
    assert found is not None
    assert found.receiver.tolist() == [3, 3, 4]
    assert found.sender.tolist() == [1, 0, 2]
    assert found.arrays["x"].tolist() == [1.0, 0.0, 2.0]
    relay.taken(np.array([3]))
    [left] = relay.waiting(np.array([3, 4]))
    assert left is not None
    assert left.sender.tolist() == [2]


def test_the_relay_throws_away_what_nobody_comes_for() -> None:
    relay = Relay(5)
    relay.put(message(0, 1, 1.0), np.array([1]), 0)
    relay.put(message(0, 1, 2.0), np.array([2]), 3)
    assert relay.expire(2) == 1
    [found] = relay.waiting(np.array([1]))
    assert found is not None
    assert found.arrays["x"].tolist() == [2.0]


def test_the_relay_knows_what_somebody_said_last() -> None:
    relay = Relay(5)
    assert relay.last_of(np.array([0]), np.array([4])) == []
    relay.remember(message(0, SERVER, 1.0))
    relay.remember(message(0, SERVER, 2.0))
    [found] = relay.last_of(np.array([0, 1, 0]), np.array([4, 4, 2]))
    assert found is not None
    assert found.receiver.tolist() == [2, 4]
    assert found.arrays["x"].tolist() == [2.0, 2.0]
