"""Local SGD of NeuMF on ragged rows, for a cohort, compiled.

Every client works on its own copies of the rows that it touches and of the network.
``torch_sgd.py`` does the same arithmetic with torch.
"""

import numpy as np

from droidloop.models.numerics.pair_gradients import sigmoid
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

from .mf_sgd import fill_slots
from .ncf_network import Network, Scratch, add, backward, begin, descend, forward, packed, unpacked
from .sgd import Examples, Sgd, leave_changes, most_rows, shuffle, take_rows

_ONE = np.float32(1)
_ZERO = np.float32(0)


def train_ncf_cohort(
    model: NeuMF,
    shared: dict[str, Array],
    user: Float32Array,
    examples: Examples,
    ids: Int32Array,
    offsets: IntArray,
    sgd: Sgd,
    threads: int | None = None,
) -> dict[str, Array]:
    """Train each client on its own copies; return the changes by name.

    That of ``item`` has shape (len(ids), dim), those of dense parameters (clients, ...). *user*
    (clients, dim) is trained in place.
    """
    widths = np.array(model.widths, np.int64)
    net, phones, data = packed(model, shared), examples.phones, examples.data
    change = np.empty((len(ids), model.dim), np.float32)
    moved = Network(*(np.zeros((len(phones), *part.shape), np.float32) for part in net))
    moved = moved._replace(turned=np.zeros((0, *net.turned.shape), np.float32))  # not an outcome
    key, group = examples.order_key, examples.group(sgd)
    steps = np.array([sgd.lr_user, sgd.lr_rows, sgd.rate(by_row=False)], np.float32)

    def work(low: int, high: int) -> None:
        _train(
            *(low, high, phones, data.items, data.offsets, examples.negatives, ids, offsets),
            *(shared["item"], user, change, net, moved, widths, model.gmf_dim),
            *(steps, sgd.epochs, group, key),
        )

    for_chunks(work, len(phones), threads)
    return {"item": change, **unpacked(model, moved)}


@kernel
def _step(
    slots: Int32Array,
    width: int,
    rows: Float32Array,
    push: Float32Array,
    hit: Array,
    vector: Float32Array,
    pull: Float32Array,
    net: Network,
    grad: Network,
    widths: IntArray,
    cut: int,
    scratch: Scratch,
    steps: Float32Array,
) -> None:
    """Take one step on the sum of the losses of a batch, in place; -1 in *slots*: no pair."""
    begin(vector, net, widths, cut, scratch.start)
    for q in range(slots.size):
        r = slots[q]
        if r >= 0:
            row = rows[r]
            logit = forward(row, vector, net, widths, cut, scratch)
            slope = sigmoid(logit) - (_ONE if q % width == 0 else _ZERO)
            backward(slope, row, vector, net, widths, cut, scratch, push[r], pull, grad)
            hit[r] = True
    for q in range(slots.size):
        r = slots[q]
        if r >= 0 and hit[r]:
            hit[r] = False
            for j in range(vector.size):
                rows[r, j] -= steps[1] * push[r, j]
                push[r, j] = _ZERO
    descend(steps[0], steps[2], vector, pull, net, grad, widths, cut)


@kernel
def _train(
    low: int,
    high: int,
    phones: IntArray,
    items: IntArray,
    offsets: IntArray,
    negatives: Int32Array,
    ids: Int32Array,
    row_offsets: IntArray,
    table: Float32Array,
    user: Float32Array,
    change: Float32Array,
    start: Network,
    moved: Network,
    widths: IntArray,
    cut: int,
    steps: Float32Array,
    epochs: int,
    group: int,
    key: np.uint64,
) -> None:
    dim, width = table.shape[1], 1 + negatives.shape[1]
    slot = np.empty(table.shape[0], np.int32)
    most = most_rows(row_offsets, low, high)
    push, hit = np.zeros((most, dim), np.float32), np.zeros(most, np.bool_)
    pull, slots = np.zeros(dim, np.float32), np.empty(group * width, np.int32)
    grad = Network(
        np.zeros_like(start.weight), start.turned, np.zeros_like(start.bias),
        np.zeros_like(start.out), np.zeros_like(start.out_bias),
    )  # fmt: skip
    inputs, outputs = start.weight.shape[1:]
    scratch = Scratch(
        np.zeros(start.bias.shape, np.float32), np.zeros(max(inputs, outputs), np.float32),
        np.zeros(inputs, np.float32), np.zeros(outputs, np.float32),
    )  # fmt: skip
    turned = np.empty_like(start.turned)
    for client in range(low, high):
        first, last = row_offsets[client], row_offsets[client + 1]
        mine, rows, vector = ids[first:last], change[first:last], user[client]
        take_rows(mine, table, slot, rows)
        net = Network(
            moved.weight[client], turned, moved.bias[client],
            moved.out[client], moved.out_bias[client],
        )  # fmt: skip
        add(net, start, _ONE)
        turned[:] = start.turned
        order = np.arange(offsets[client], offsets[client + 1])
        for epoch in range(epochs):
            shuffle(order, key, phones[client], epoch)
            for first_of in range(0, order.size, group):
                batch = order[first_of : first_of + group]
                fill_slots(batch, items, negatives, 0, slot, slots)
                _step(
                    slots[: batch.size * width], width, rows, push, hit, vector, pull,
                    net, grad, widths, cut, scratch, steps,
                )  # fmt: skip
        leave_changes(mine, table, rows)
        add(net, start, -_ONE)
