"""Local SGD of LightGCN on ego graphs, for a cohort, compiled: ``mf_sgd.py`` with propagation.

Every client propagates on its own graph anew for each batch. Clients are independent, so any number
of threads gives the same bits. ``torch_sgd.py`` does the same with torch for one phone.
"""

import numpy as np

from droidloop.models.graphs.ego_graphs import EgoGraphs
from droidloop.models.graphs.propagation import hop
from droidloop.models.numerics.pair_gradients import LOSSES, add_l2, add_slopes
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

from .sgd import Examples, Sgd, shuffle


def train_on_ego_graphs(
    ego: EgoGraphs,
    model: MF,
    layers: int,
    user: Float32Array,
    item: Float32Array,
    examples: Examples,
    sgd: Sgd,
    threads: int | None = None,
) -> None:
    """Train each client's own user and its item rows in place; its neighbours stay as they are.

    Args:
        ego: the graphs, with a row for each item and negative of a client.
        model: its loss and its l2, on the vectors before propagation.
        layers: of LightGCN.
        user: vectors of all users of the graphs, (users, dim).
        item: of all item rows, (rows, dim).
        examples: what the clients train on.
        sgd: steps on the sum of the losses of a batch.
        threads: as in ``for_chunks``.
    """
    data, negatives, phones = examples.data, examples.negatives, examples.phones
    clients = np.repeat(np.arange(data.n_users), data.counts)
    slots = ego.places(clients, data.items) - ego.item_offsets[clients]
    places = ego.places(clients[:, None], negatives.astype(np.int64))
    places = np.where(places < 0, -1, places - ego.item_offsets[clients][:, None])
    others: Int32Array = places.astype(np.int32)
    labels = np.ascontiguousarray(data.ratings, np.float32)
    graph = ego.graph
    owner_of_user = np.repeat(np.arange(len(phones)), np.diff(ego.user_offsets))
    owner_of_item = np.repeat(np.arange(len(phones)), np.diff(ego.item_offsets))
    edge_owner = np.repeat(owner_of_user, np.diff(graph.item_offsets))
    items = (graph.items - ego.item_offsets[edge_owner]).astype(np.int32)
    edge_owner = np.repeat(owner_of_item, np.diff(graph.user_offsets))
    users = (graph.users - ego.user_offsets[edge_owner]).astype(np.int32)
    edges = (items, graph.item_offsets, users, graph.user_offsets)
    scales = (graph.user_scale, graph.item_scale)
    steps = np.array([sgd.lr_user, sgd.lr_rows, model.l2], np.float32)
    key, group = examples.order_key, examples.group(sgd)

    def work(low: int, high: int) -> None:
        _train(
            low, high, phones, slots, data.offsets, labels, others, edges, scales,
            ego.user_offsets, ego.item_offsets, user, item, layers, steps,
            sgd.epochs, group, LOSSES[model.loss_name], key,
        )  # fmt: skip

    for_chunks(work, len(phones), threads)


_Pair = tuple[Float32Array, Float32Array]
"""Of users and of items."""
_Edges = tuple[Int32Array, IntArray, Int32Array, IntArray]
"""The items of users and their offsets, the users of items and theirs."""


@kernel
def _copy(source: Float32Array, target: Float32Array) -> None:
    for r in range(source.shape[0]):
        for j in range(source.shape[1]):
            target[r, j] = source[r, j]


@kernel
def _gather(
    batch: IntArray,
    slots: IntArray,
    labels: Float32Array,
    negatives: Int32Array,
    chosen: IntArray,
    rated: Float32Array,
    others: Int32Array,
) -> None:
    for k in range(batch.size):
        chosen[k], rated[k] = slots[batch[k]], labels[batch[k]]
        for s in range(negatives.shape[1]):
            others[k, s] = negatives[batch[k], s]


@kernel
def _mean_of_layers(
    edges: _Edges,
    scales: _Pair,
    first: _Pair,
    layers: int,
    out: _Pair,
    spare: _Pair,
) -> None:
    """Write what ``propagate`` returns to *out*; *spare* is room of the same shapes."""
    items, item_offsets, users, user_offsets = edges
    user_scale, item_scale = scales
    user, item = first
    _copy(user, out[0])
    _copy(item, out[1])
    for layer in range(layers):
        share = np.float32(1 / (layers + 1) if layer == layers - 1 else 1)
        hop(
            *(0, len(user), items, item_offsets, item_scale, user_scale),
            *(out[1], user, share, spare[0]),
        )
        hop(
            *(0, len(item), users, user_offsets, user_scale, item_scale),
            *(out[0], item, share, spare[1]),
        )
        _copy(spare[0], out[0])
        _copy(spare[1], out[1])


@kernel
def _train(
    low: int,
    high: int,
    phones: IntArray,
    slots: IntArray,
    offsets: IntArray,
    labels: Float32Array,
    negatives: Int32Array,
    edges: _Edges,
    scales: _Pair,
    user_rows: IntArray,
    item_rows: IntArray,
    user: Float32Array,
    item: Float32Array,
    layers: int,
    steps: Float32Array,
    epochs: int,
    group: int,
    code: int,
    key: np.uint64,
) -> None:
    lr_user, lr_rows, l2 = steps[0], steps[1], steps[2]
    items, item_offsets, users, user_offsets = edges
    nobody, chosen = np.zeros(group, np.int64), np.empty(group, np.int64)
    rated, others = np.empty(group, np.float32), np.empty((group, negatives.shape[1]), np.int32)
    for client in range(low, high):
        u, v = user_rows[client], user_rows[client + 1]
        a, b = item_rows[client], item_rows[client + 1]
        mine, sides = (user[u:v], item[a:b]), (scales[0][u:v], scales[1][a:b])
        links = (items, item_offsets[u : v + 1], users, user_offsets[a : b + 1])
        vectors = (np.empty_like(mine[0]), np.empty_like(mine[1]))
        slopes = (np.empty_like(mine[0]), np.empty_like(mine[1]))
        spare = (np.empty_like(mine[0]), np.empty_like(mine[1]))
        order = np.arange(offsets[client], offsets[client + 1])
        for epoch in range(epochs):
            shuffle(order, key, phones[client], epoch)
            for start in range(0, order.size, group):
                batch = order[start : start + group]
                n = batch.size
                _gather(batch, slots, labels, negatives, chosen, rated, others)
                _mean_of_layers(links, sides, mine, layers, vectors, spare)
                slopes[0].fill(0)
                slopes[1].fill(0)
                add_slopes(
                    *(nobody[:n], chosen[:n], rated[:n], others[:n], vectors[0], vectors[1], code),
                    *(slopes[0], slopes[1]),
                )
                _mean_of_layers(links, sides, slopes, layers, vectors, spare)
                add_l2(
                    *(nobody[:n], chosen[:n], others[:n], mine[0], mine[1], l2),
                    *(vectors[0], vectors[1]),
                )
                for j in range(user.shape[1]):
                    mine[0][0, j] -= lr_user * vectors[0][0, j]
                for r in range(b - a):
                    for j in range(item.shape[1]):
                        mine[1][r, j] -= lr_rows * vectors[1][r, j]
