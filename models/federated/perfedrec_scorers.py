"""The three models of PerFedRec as scorers, everybody's, the cluster's, one's own; and their mean.

The own model is the cluster's after one more local training, as the paper has it; nothing of it is
sent. Items that a user has in training are not scored in earnest: a phone does not show them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.cluster_scorer import ClusterScorer, OwnVectors
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.graphs.ego_graphs import Neighbours, ego_graphs
from droidloop.models.graphs.propagation import propagate
from droidloop.models.interfaces.learning import Cohort, EmbeddingTable, Params
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages, joined

from .fedgcn import FedLightGCN
from .perfedrec_rules import EMBEDDING, ClusterServer, PerFedRec, without


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
    phones, items = np.arange(len(store)), client.inner.recommender.items
    user = np.array(store.gather(phones)["user"], np.float32)
    tuned, changes = user.copy(), []
    for inbox in server.broadcast(phones):
        mine = inbox.receiver
        cohort = Cohort(mine, server.version, {"user": user[mine]})
        sent = client.step(cohort, inbox, data.take(mine), draws.child("own"))
        tuned[mine] = cohort.private["user"]
        changes.append(without(sent, EMBEDDING))
    nobody, clusters = np.zeros(len(phones), np.int64), int(server.labels.max(initial=0)) + 1
    groups = [server.group_params(cluster) for cluster in range(clusters)]
    stacked = {name: torch.stack([one[name] for one in groups]) for name in server.params}
    everyone, tables = every_vector(items, server.params)[None], every_vector(items, stacked)
    every = joined(changes)
    own = own_vectors(items, stacked, server.labels, every.take(np.argsort(every.sender)))
    parts = {
        "global": _part(client, data, user, nobody, everyone),
        "cluster": _part(client, data, user, server.labels, tables),
        "own": _part(client, data, tuned, server.labels, tables, own),
    }
    return {"trained": MeanScorer(list(parts.values())), **parts}


def own_vectors(
    items: EmbeddingTable, params: Params, labels: IntArray, changes: Messages
) -> OwnVectors:
    """Return what gives users' own item vectors: those of their cluster's parameters, changed.

    Args:
        items: the table.
        params: of all clusters, stacked.
        labels: the cluster of each user.
        changes: of the parameters of each user, row k of user k; those that are no numbers count
            as none, as a phone whose training diverged has what it received.
    """

    def vectors(users: IntArray) -> Float32Array:
        mine, own = changes.take(users), {}
        for name, values in params.items():
            table = values.numpy()[labels[users]]
            moved = mine.arrays[name]
            moved = np.where(np.isfinite(moved).all(axis=-1, keepdims=True), moved, np.float32(0))
            if name in mine.rows:
                owner = np.repeat(np.arange(len(users)), np.diff(mine.offsets[name]))
                table[owner, mine.rows[name]] += moved
            else:
                table += moved.reshape(table.shape)
            own[name] = torch.from_numpy(table)
        return every_vector(items, own)

    return vectors


def _part(
    client: PerFedRec,
    data: UserItems,
    user: Float32Array,
    labels: IntArray,
    tables: Float32Array,
    own: OwnVectors | None = None,
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
        for phone in range(data.n_users):
            mine = slice(ego.item_offsets[phone], ego.item_offsets[phone + 1])
            rows[mine] = own(np.array([phone]))[0, ego.ids[mine]]
    users, _ = propagate(ego.graph, ego.users(user, none), rows, rule.layers)
    share = np.float32(1 / (rule.layers + 1))
    return ClusterScorer(users[ego.own] * share, labels, tables, own)
