"""Gossip learning in gossipy's own setting: 943 nodes with an MF model of 1,682 items each.

Ratings of ml-100k, four fifths of each user's, where the shared data are there; as many synthetic
ones else. A random regular graph of 20 links; in a tick each node pushes a snapshot of its item
table to a neighbour, which merges it and takes a step on each of its ratings. gossipy 0.0.1 was
measured at 1,344 such messages/s on two such cores. It also keeps a bias for each item and moves
nine nodes in a tick: the rates at d = 6, which is as many numbers, and in such ticks are printed
as well, and the error on the held-out ratings, before and after.

The baseline does the same arithmetic in numpy, message by message.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.interfaces.store import PrivateStore
    from tests.benchmarks.gossiping import Ticks

WHAT = "gossip messages merged and trained on, 943 MF nodes, 1,682 items, d = 5"
UNIT = "messages/s"
BASELINE = "numpy, one message after the other"

NODES = 943
ITEMS = 1682
LINKS = 20
RATINGS_EACH = 106
MESSAGES = 100_000
SHARED = Path(__file__).parents[3] / "shared" / "data" / "ml-100k"


def split_of() -> Split:
    """Return ratings, four fifths of each user's for training."""
    from droidloop.models.data.readers import load
    from droidloop.models.data.split import ratio
    from droidloop.models.data.synthetic import generate
    from droidloop.platform.draws import Draws

    draws = Draws(1, "gossip")
    if SHARED.is_dir():
        return ratio(load(SHARED), draws)
    return ratio(generate(NODES, ITEMS, RATINGS_EACH, draws.child("data")), draws)


def ticks_of(split: Split, dim: int = 5, senders: int = NODES) -> Ticks:
    """Return the network."""
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.peer.gossip_mf import GossipMF
    from droidloop.models.recommenders.mf import MF
    from droidloop.network.generators import random_regular
    from droidloop.platform.draws import Draws
    from tests.benchmarks.gossiping import Ticks

    draws = Draws(1, "gossip")
    # without biases a longer step than gossipy's 0.001 is needed to get anywhere
    rule = GossipMF(MF(ITEMS, dim, "squared", l2=0.1), Sgd(0.01, 0.01, batch=1), negatives=0)
    return Ticks(rule, split.train, random_regular(NODES, LINKS, draws), senders, draws)


def error_of(store: PrivateStore, split: Split) -> float:
    """Return the root mean squared error of the held-out ratings, on the phones of their users."""
    import numpy as np

    users = np.repeat(np.arange(NODES), split.test.counts)
    rows = store.columns["item"][users, split.test.items]
    scores = (store.columns["user"][users] * rows).sum(axis=1)
    return float(np.sqrt(np.square(scores - split.test.ratings).mean()))


def prepare() -> None:
    """Compile what `measure` calls."""
    ticks_of(split_of()).rate(2)


def measure() -> float:
    """Return messages per wall second, first touch of the tables outside the clock."""
    split = split_of()
    ticks = ticks_of(split)
    before = error_of(ticks.store, split)
    value = ticks.rate(MESSAGES)
    after = error_of(ticks.store, split)
    if not after < before:
        raise ValueError(f"the error on held-out ratings rose from {before} to {after}")
    more = {"d = 6": ticks_of(split, 6), "ticks of 9": ticks_of(split, senders=9)}
    rates = ", ".join(f"{name}: {ticks.rate(MESSAGES // 4):,.0f}/s" for name, ticks in more.items())
    print(f"{rates}; held-out error {before:.2f} to {after:.2f}", file=sys.stderr)
    return value


def baseline() -> float:
    """Return messages per wall second of a loop over messages."""
    from tests.benchmarks.gossiping import plain_rate

    ticks = ticks_of(split_of())
    return plain_rate(ticks.rule, ticks.data, ticks.topology, ticks.draws)
