"""What the rows `gossip` and `gossip-large` have in common, and the plain reference of both."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.peer.gossip_mf import GossipMF, gossip_store
from droidloop.models.recommenders.mf import MF
from droidloop.network.topology import Topology
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.scenarios.protocols.relayed_gossip import choose_partners


@dataclass
class Ticks:
    """Gossip by push, without links: in a tick *senders* phones each tell a neighbour.

    A tick snapshots the senders' tables, then lets the receivers merge each and train after it.
    """

    rule: GossipMF
    data: UserItems
    topology: Topology
    senders: int
    draws: Draws

    def __post_init__(self) -> None:
        self.store = gossip_store(self.rule.recommender, self.draws, self.data.n_users)
        self.number = 0
        for some in self._parts(np.arange(self.data.n_users)):
            self.store.ensure(some)  # memory is touched here, not in the first ticks

    def tick(self) -> int:
        """Play a tick; return the messages that were merged."""
        phones, to = pairs(self.topology, self.senders, self.draws, self.number)
        sent = self.rule.share(phones, self.store, self.number, self.draws)
        receivers = np.unique(to)
        inbox, data = replace(sent, receiver=to), self.data.take(receivers)
        self.rule.learn(receivers, inbox, self.store, data, self.number, self.draws)
        self.number += 1
        return len(sent)

    def rate(self, messages: int) -> float:
        """Return messages per second over at least so many, after one tick to warm up."""
        self.tick()
        done, start = 0, time.perf_counter()
        while done < messages:
            done += self.tick()
        taken_s = time.perf_counter() - start
        if self.store.columns["diverged"].any():
            raise ValueError("a phone diverged")
        return done / taken_s

    def _parts(self, phones: IntArray) -> Iterator[IntArray]:
        for low in range(0, len(phones), 1000):
            yield phones[low : low + 1000]


def pairs(topology: Topology, senders: int, draws: Draws, number: int) -> tuple[IntArray, IntArray]:
    """Return who sends in a tick and to whom, in the order of the receivers.

    Each node sends once in a round, which has as many ticks as that takes, in an order drawn anew.
    """
    ticks = -(-topology.nodes // senders)
    order = draws.child("turns").order(np.arange(topology.nodes), number // ticks)
    phones = np.sort(order[number % ticks :: ticks])
    to = choose_partners(topology, phones, draws.child("partners"), number)[:, 0]
    place = np.argsort(to, kind="stable")
    return phones[place], to[place]


def plain_rate(rule: GossipMF, data: UserItems, topology: Topology, draws: Draws) -> float:
    """Return messages per second of the same arithmetic in numpy, message by message."""
    mf, n = rule.recommender, data.n_users
    user = mf.init_private(draws, np.arange(n))["user"].numpy()
    tables = np.repeat(mf.init(draws)["item"].numpy()[None], n, axis=0)
    age = np.zeros(n, np.int64)
    phones, to = pairs(topology, n, draws, 0)
    start = time.perf_counter()
    sent = [(tables[phone].copy(), int(age[phone])) for phone in phones]
    for k, (table, theirs) in enumerate(sent):
        one = to[k : k + 1]
        share = theirs / (age[one[0]] + theirs) if age[one[0]] + theirs else 0.5
        tables[one[0]] = (1 - share) * tables[one[0]] + share * table
        _train(rule, data.take(one), one, user[one[0]], tables[one[0]], draws, k)
        age[one[0]] = max(int(age[one[0]]), theirs) + 1
    return len(sent) / (time.perf_counter() - start)


def _train(
    rule: GossipMF,
    data: UserItems,
    phone: IntArray,
    user: Array,
    table: Array,
    draws: Draws,
    counter: int,
) -> None:
    """Take the steps of one update on *user* and *table*, in place."""
    mf, sgd, n = rule.recommender, rule.sgd, len(data.items)
    assert isinstance(mf, MF)
    drawn = draw_negatives(
        data, rule.negatives, mf.n_items, data, phones=phone, draws=draws, counter=counter
    )
    order = draws.child("order").order(np.arange(n), counter)
    group = sgd.group(rule.negatives)
    for low in range(0, n, group):
        batch = order[low : low + group]
        ids = np.concatenate([data.items[batch], drawn[batch].ravel()])
        scores = table[ids] @ user
        labels = np.zeros(len(ids), np.float32)
        if mf.loss_name == "squared":
            labels[: len(batch)] = data.ratings[batch]
            slopes = 2 * (scores - labels)
        else:
            labels[: len(batch)] = 1
            slopes = 1 / (1 + np.exp(-scores)) - labels
        rows = table[ids]
        np.add.at(table, ids, -sgd.lr_rows * (slopes[:, None] * user + mf.l2 * rows))
        user -= sgd.lr_user * (slopes @ rows + len(ids) * mf.l2 * user)
