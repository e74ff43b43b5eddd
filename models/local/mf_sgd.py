"""Local SGD of matrix factorisation on ragged rows, for a cohort, compiled.

Every client works on its own copy of the rows that it touches: the items of its examples and the
negatives drawn for them. Clients are independent, so any number of threads gives the same bits.
``torch_sgd.py`` does the same with torch, for any recommender and at a tenth of the speed.
"""

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.numerics.pair_gradients import LOSSES, differentiate
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

from .sgd import Examples, Sgd, leave_changes, most_rows, shuffle, take_rows

_ONE = np.float32(1)
_ZERO = np.float32(0)


def train_mf_cohort(
    model: MF,
    table: Float32Array,
    user: Float32Array,
    examples: Examples,
    ids: Int32Array,
    offsets: IntArray,
    sgd: Sgd,
    threads: int | None = None,
) -> Float32Array:
    """Train each client on its own rows; return their change, shape (len(ids), dim).

    Items of *examples* are rows of *table*. The order of examples is drawn anew in every epoch.
    *user* (clients, dim) is trained in place; with dim + 1 numbers a client, the last is a bias
    that is added to its scores.
    """
    change = np.empty((len(ids), table.shape[1]), np.float32)
    data, key, group = examples.data, examples.order_key, examples.group(sgd)
    steps = np.array([sgd.lr_user, sgd.lr_rows, model.l2], np.float32)
    labels, code = labels_of(data, model.loss_name), LOSSES[model.loss_name]

    def work(low: int, high: int) -> None:
        _train(
            low, high, examples.phones, data.items, data.offsets, labels, examples.negatives,
            ids, offsets, table, user, change, steps, sgd.epochs, group, code, key,
        )  # fmt: skip

    for_chunks(work, len(examples.phones), threads)
    return change


def labels_of(data: UserItems, loss_name: str) -> Array:
    """Return what a loss compares scores with: ratings for squares, 1 for all else."""
    return data.ratings if loss_name == "squared" else np.broadcast_to(1.0, len(data.items))


@kernel(inline="always")
def dot(rows: Float32Array, r: int, vector: Float32Array) -> np.float32:
    """Return the product of row *r* and *vector*."""
    # Eight sums, so that the compiler may use vectors without being allowed to reorder.
    a = b = c = d = e = f = g = h = _ZERO
    dim = rows.shape[1]
    whole = dim // 8 * 8
    for j in range(0, whole, 8):
        a += rows[r, j] * vector[j]
        b += rows[r, j + 1] * vector[j + 1]
        c += rows[r, j + 2] * vector[j + 2]
        d += rows[r, j + 3] * vector[j + 3]
        e += rows[r, j + 4] * vector[j + 4]
        f += rows[r, j + 5] * vector[j + 5]
        g += rows[r, j + 6] * vector[j + 6]
        h += rows[r, j + 7] * vector[j + 7]
    for j in range(whole, dim):
        a += rows[r, j] * vector[j]
    return ((a + b) + (c + d)) + ((e + f) + (g + h))


@kernel(inline="always")
def fill_slots(
    batch: IntArray,
    items: IntArray,
    negatives: Int32Array,
    first: int,
    slot: Int32Array,
    slots: Int32Array,
) -> None:
    """Write the rows of the pairs of a *batch*, -1 for none: each item, then its negatives.

    *slot* gives the row of an item; row 0 of *negatives* is that of the example *first*.
    """
    width = 1 + negatives.shape[1]
    for k in range(batch.size):
        example, q = batch[k], k * width
        slots[q] = slot[items[example]]
        for s in range(width - 1):
            other = negatives[example - first, s]
            slots[q + 1 + s] = slot[other] if other >= 0 else -1


@kernel(error_model="numpy")
def step_rows(
    slots: Int32Array,
    labels: Float32Array,
    width: int,
    code: int,
    rows: Float32Array,
    vector: Float32Array,
    steps: Float32Array,
    scores: Float32Array,
    slopes: Float32Array,
    hits: Int32Array,
    gradient: Float32Array,
) -> None:
    """Take one step on the sum of the losses of a batch: *rows* and *vector* change in place.

    *slots* are the rows of its pairs, *width* for each item: itself and its negatives. A *vector*
    (and *gradient*) one longer than a row ends in a bias.
    """
    lr_user, lr_rows, l2 = steps[0], steps[1], steps[2]
    dim = rows.shape[1]
    biased = vector.size > dim
    bias = vector[dim] if biased else _ZERO
    for q in range(slots.size):
        if slots[q] >= 0:
            scores[q] = dot(rows, slots[q], vector) + bias
    differentiate(scores[: slots.size], slots, labels, width, code)
    pairs = 0
    for q in range(slots.size):
        r = slots[q]
        if r < 0:
            continue
        slope = scores[q]
        slopes[r] += slope
        hits[r] += 1
        pairs += 1
        for j in range(dim):
            gradient[j] += slope * rows[r, j]
        if biased:
            gradient[dim] += slope
    for q in range(slots.size):
        r = slots[q]
        if r < 0 or hits[r] == 0:
            continue
        keep = _ONE - lr_rows * l2 * np.float32(hits[r])
        step = lr_rows * slopes[r]
        hits[r] = 0
        slopes[r] = _ZERO
        for j in range(dim):
            rows[r, j] = keep * rows[r, j] - step * vector[j]
    keep = _ONE - lr_user * l2 * np.float32(pairs)
    for j in range(vector.size):
        vector[j] = keep * vector[j] - lr_user * gradient[j]
        gradient[j] = _ZERO


@kernel
def _train(
    low: int,
    high: int,
    phones: IntArray,
    items: IntArray,
    offsets: IntArray,
    labels: Array,
    negatives: Int32Array,
    ids: Int32Array,
    row_offsets: IntArray,
    table: Float32Array,
    user: Float32Array,
    change: Float32Array,
    steps: Float32Array,
    epochs: int,
    group: int,
    code: int,
    key: np.uint64,
) -> None:
    length = user.shape[1]
    width = 1 + negatives.shape[1]
    slot = np.empty(table.shape[0], np.int32)
    most = most_rows(row_offsets, low, high)
    slopes, hits = np.zeros(most, np.float32), np.zeros(most, np.int32)
    vector, gradient = np.empty(length, np.float32), np.zeros(length, np.float32)
    slots, scores = np.empty(group * width, np.int32), np.empty(group * width, np.float32)
    batch_labels = np.empty(group, np.float32)
    for client in range(low, high):
        first, last = row_offsets[client], row_offsets[client + 1]
        mine, rows = ids[first:last], change[first:last]
        take_rows(mine, table, slot, rows)
        for j in range(length):
            vector[j] = user[client, j]
        order = np.arange(offsets[client], offsets[client + 1])
        for epoch in range(epochs):
            shuffle(order, key, phones[client], epoch)
            for start in range(0, order.size, group):
                batch = order[start : start + group]
                for k in range(batch.size):
                    batch_labels[k] = labels[batch[k]]
                fill_slots(batch, items, negatives, 0, slot, slots)
                step_rows(
                    slots[: batch.size * width], batch_labels, width, code, rows, vector,
                    steps, scores, slopes, hits, gradient,
                )  # fmt: skip
        for j in range(length):
            user[client, j] = vector[j]
        leave_changes(mine, table, rows)
