"""The three models of PerFedRec as scorers, everybody's, the cluster's, one's own; and their mean.

The own model is the cluster's after one more local training, as the paper has it; nothing of it is
sent. Items that a user has in training are not scored in earnest: a phone does not show them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.cluster_scorer import ClusterScorer
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.graphs.ego_graphs import Neighbours, ego_graphs
from droidloop.models.graphs.propagation import propagate
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.interfaces.store import PrivateStore
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages

from .fedgcn import FedLightGCN
from .perfedrec_rules import ClusterServer, PerFedRec

_BATCH_NUMBERS = 2**24


@dataclass(frozen=True)
class MeanScorer:
    """The mean of the scores of *parts*."""

    parts: Sequence[ClusterScorer]

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items, shape (users, items)."""
        total = self.parts[0].every(users)
        for part in self.parts[1:]:
            total = total + part.every(users)
        return np.asarray(total / np.float32(len(self.parts)), np.float32)

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*, shape (users, width), for the user of each row."""
        return np.take_along_axis(self.every(users), items, axis=1)


def mixture(
    client: PerFedRec,
    server: ClusterServer,
    store: PrivateStore,
    data: UserItems,
    draws: Draws,
) -> dict[str, ClusterScorer | MeanScorer]:
    """Return the scorers ``trained`` (the mean), ``global``, ``cluster`` and ``own``.

    Args:
        client: the rule; its inner one tunes the own model.
        server: with the tables and clusters as they are now.
        store: the phones' user vectors; not changed.
        data: the phones' training items.
        draws: the chance of that tuning.
    """
    phones = np.arange(len(store))
    [name] = server.params
    user = np.array(store.gather(phones)["user"], np.float32)
    tuned, changes = user.copy(), []
    for inbox in server.broadcast(phones):
        mine = inbox.receiver
        cohort = Cohort(mine, server.version, {"user": user[mine]})
        sent = client.step(cohort, inbox, data.take(mine), draws.child("own"))
        tuned[mine] = cohort.private["user"]
        changes.append(sent)
    own = _by_phone(changes, name)
    nobody, clusters = np.zeros(len(phones), np.int64), int(server.labels.max(initial=0)) + 1
    everyone = server.params[name].numpy()[None]
    tables = np.stack([server.group_params(c)[name].numpy() for c in range(clusters)])
    parts = {
        "global": _part(client, data, user, nobody, everyone),
        "cluster": _part(client, data, user, server.labels, tables),
        "own": _part(client, data, tuned, server.labels, tables, own),
    }
    return {"trained": MeanScorer(list(parts.values())), **parts}


def _by_phone(batches: Sequence[Messages], name: str) -> Messages:
    """Return the changes of *name* of all phones as one batch, in the order of phones."""
    senders = np.concatenate([sent.sender for sent in batches])
    counts = np.concatenate([np.diff(sent.offsets[name]) for sent in batches])
    values = np.concatenate([sent.arrays[name] for sent in batches])
    # a phone whose training diverged has what it received
    values[~np.isfinite(values).all(axis=1)] = 0
    joined = Messages(
        "delta",
        senders,
        np.full(len(senders), -1),
        {name: values},
        np.ones(len(senders)),
        np.zeros(len(senders), np.int64),
        {name: np.concatenate([sent.rows[name] for sent in batches])},
        {name: np.concatenate([[0], np.cumsum(counts)])},
    )
    return joined.take(np.argsort(senders))


def _part(
    client: PerFedRec,
    data: UserItems,
    user: Float32Array,
    labels: IntArray,
    tables: Float32Array,
    own: Messages | None = None,
) -> ClusterScorer:
    """Return the scorer of vectors that were propagated where the inner rule does so."""
    rule = client.inner
    if not isinstance(rule, FedLightGCN) or rule.layers == 0:
        return ClusterScorer(user, labels, tables, own)
    none = Neighbours.none(data.n_users, user.shape[1])
    ego = ego_graphs(data, none, degrees=rule.degrees)
    owner = np.repeat(np.arange(data.n_users), np.diff(ego.item_offsets))
    rows = tables[labels[owner], ego.ids]
    if own is not None:
        [name] = own.arrays
        senders = np.repeat(np.arange(data.n_users), np.diff(own.offsets[name]))
        trained = np.isin(
            own.rows[name] + senders * tables.shape[1], ego.ids + owner * tables.shape[1]
        )
        rows[ego.places(senders[trained], own.rows[name][trained])] += own.arrays[name][trained]
    users, _ = propagate(ego.graph, ego.users(user, none), rows, rule.layers)
    share = np.float32(1 / (rule.layers + 1))
    return ClusterScorer(users[ego.own] * share, labels, tables, own)
