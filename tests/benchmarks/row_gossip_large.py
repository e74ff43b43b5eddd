"""Gossip learning of 100,000 nodes in a small world, each with an item table: 5.4 GB of tables.

A tick moves 500 nodes, so that in 200 ticks each node sends once: they snapshot their tables and
push them to a neighbour, which merges and trains on its 20 items with 4 negatives each. Snapshots
exist only for those who send in a tick; with the tables they must stay within 8 GiB (the row's
peak). The making of data, graph and tables is not in the value, but in wall and peak.

The baseline does the same arithmetic in numpy, message by message, on 2,000 nodes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.gossiping import Ticks

WHAT = "gossip messages merged and trained on, 100,000 MF nodes, 1,682 items, d = 8"
UNIT = "messages/s"
BASELINE = "numpy, one message after the other"

NODES = 100_000
ITEMS = 1682
DIM = 8
PER_USER = 20
LINKS = 10
REWIRED = 0.1
SENDERS = 500
MESSAGES = 150_000
PLAIN_NODES = 2000


def ticks_of(nodes: int, senders: int) -> Ticks:
    """Return the network, its memory touched."""
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.synthetic import generate
    from droidloop.models.peer.gossip_mf import GossipMF
    from droidloop.models.recommenders.mf import MF
    from droidloop.network.generators import small_world
    from droidloop.platform.draws import Draws
    from tests.benchmarks.gossiping import Ticks

    draws = Draws(1, "gossip-large")
    data = by_user(generate(nodes, ITEMS, PER_USER, draws.child("data")))
    graph = small_world(nodes, LINKS, REWIRED, draws)
    return Ticks(GossipMF(MF(ITEMS, DIM)), data, graph, senders, draws)


def prepare() -> None:
    """Compile what `measure` calls."""
    ticks_of(500, 200).rate(2)


def measure() -> float:
    """Return messages per wall second."""
    return ticks_of(NODES, SENDERS).rate(MESSAGES)


def baseline() -> float:
    """Return messages per wall second of a loop over messages."""
    from tests.benchmarks.gossiping import plain_rate

    ticks = ticks_of(PLAIN_NODES, 1)
    return plain_rate(ticks.rule, ticks.data, ticks.topology, ticks.draws)
