"""Local SGD of matrix factorisation whose first numbers are to stand alone, compiled.

As ``mf_sgd.py``, but a vector is cut into blocks, and the loss may count at every end of one: the
first block alone, the first two, and so on. The product of the first blocks is a sum, so a block
moves by the sum of the slopes of all products that it is in. ``decorrelation`` pulls the numbers
of the touched rows apart after each epoch.
"""

import numpy as np

from droidloop.models.numerics.pair_gradients import LOSSES, differentiate
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

from .mf_sgd import fill_slots, labels_of
from .sgd import Examples, Sgd, leave_changes, most_rows, shuffle, take_rows

_ONE, _ZERO = np.float32(1), np.float32(0)
_LEAST = np.float32(1e-6)


def train_prefixes(
    model: MF,
    table: Float32Array,
    user: Float32Array,
    examples: Examples,
    ids: Int32Array,
    offsets: IntArray,
    sgd: Sgd,
    ends: IntArray,
    decorrelation: float = 0.0,
    threads: int | None = None,
) -> Float32Array:
    """Train each client on its own rows; return their change, shape (len(ids), dim).

    *ends* are the lengths of vectors at which the loss counts, rising, the last one being that of
    *table*. Of *user* (clients, at least dim), trained in place, the first numbers are used.
    *decorrelation* is the weight of the mean square of the correlations among the numbers of the
    touched rows.
    """
    change = np.empty((len(ids), table.shape[1]), np.float32)
    data, key, group = examples.data, examples.order_key, examples.group(sgd)
    steps = np.array([sgd.lr_user, sgd.lr_rows, model.l2, decorrelation], np.float32)
    labels, code = labels_of(data, model.loss_name), LOSSES[model.loss_name]

    def work(low: int, high: int) -> None:
        _train(
            low, high, examples.phones, data.items, data.offsets, labels, examples.negatives,
            ids, offsets, table, user, change, steps, ends, sgd.epochs, group, code, key,
        )  # fmt: skip

    for_chunks(work, len(examples.phones), threads)
    return change


@kernel(error_model="numpy")
def step_blocks(
    slots: Int32Array,
    labels: Float32Array,
    width: int,
    code: int,
    ends: IntArray,
    rows: Float32Array,
    vector: Float32Array,
    steps: Float32Array,
    scores: Float32Array,
    slopes: Float32Array,
    hits: Int32Array,
    gradient: Float32Array,
) -> None:
    """Take one step on the sum of a batch's losses at all *ends*: *rows* and *vector* change.

    *scores* are (ends, pairs), *slopes* (rows, ends); *slopes* and *hits* are zeros before and
    after.
    """
    lr_user, lr_rows, l2 = steps[0], steps[1], steps[2]
    dim, n = rows.shape[1], slots.size
    for q in range(n):
        if slots[q] < 0:
            continue
        total, start = _ZERO, 0
        for p in range(ends.size):
            for j in range(start, ends[p]):
                total += rows[slots[q], j] * vector[j]
            start = ends[p]
            scores[p, q] = total
    for p in range(ends.size):
        differentiate(scores[p, :n], slots, labels, width, code)
    pairs = 0
    for q in range(n):
        r = slots[q]
        if r < 0:
            continue
        hits[r] += 1
        pairs += 1
        slope, end = _ZERO, dim
        for p in range(ends.size - 1, -1, -1):  # the last block is in one product, the first in all
            slope += scores[p, q]
            slopes[r, p] += slope
            for j in range(ends[p - 1] if p else 0, end):
                gradient[j] += slope * rows[r, j]
            end = ends[p - 1] if p else 0
    for q in range(n):
        r = slots[q]
        if r < 0 or hits[r] == 0:
            continue
        keep, start = _ONE - lr_rows * l2 * np.float32(hits[r]), 0
        for p in range(ends.size):
            step = lr_rows * slopes[r, p]
            for j in range(start, ends[p]):
                rows[r, j] = keep * rows[r, j] - step * vector[j]
            slopes[r, p], start = _ZERO, ends[p]
        hits[r] = 0
    keep = _ONE - lr_user * l2 * np.float32(pairs)
    for j in range(dim):
        vector[j] = keep * vector[j] - lr_user * gradient[j]
        gradient[j] = _ZERO


@kernel(error_model="numpy")
def decorrelate(rows: Float32Array, step: float) -> None:
    """Move *rows* by *step* down the slope of sum_{i != j} corr_ij^2 / (2 dim (dim - 1)).

    The correlations are those of the columns over all rows.
    """
    n, dim = rows.shape
    if n < 2 or dim < 2:
        return
    centred, spread = np.empty((n, dim), np.float32), np.empty(dim, np.float32)
    for j in range(dim):
        mean = _ZERO
        for r in range(n):
            mean += rows[r, j]
        mean /= np.float32(n)
        square = _ZERO
        for r in range(n):
            centred[r, j] = rows[r, j] - mean
            square += centred[r, j] * centred[r, j]
        spread[j] = max(np.sqrt(square / np.float32(n)), _LEAST)
        for r in range(n):
            centred[r, j] /= spread[j]
    corr = np.zeros((dim, dim), np.float32)
    for r in range(n):
        for i in range(dim):
            for j in range(i):
                corr[i, j] += centred[r, i] * centred[r, j] / np.float32(n)
    for i in range(dim):
        for j in range(i):
            corr[j, i] = corr[i, j]
    share = np.float32(step) * np.float32(2.0 / (n * dim * (dim - 1)))
    pull = np.empty(dim, np.float32)
    own = np.zeros(dim, np.float32)  # how far a slope is along its own column: it changes nothing
    for i in range(dim):
        for j in range(dim):
            own[i] += corr[i, j] * corr[i, j]
    for r in range(n):
        for i in range(dim):
            pull[i] = -own[i] * centred[r, i]
            for j in range(dim):
                pull[i] += corr[i, j] * centred[r, j]
        for i in range(dim):
            rows[r, i] -= share * pull[i] / spread[i]


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
    ends: IntArray,
    epochs: int,
    group: int,
    code: int,
    key: np.uint64,
) -> None:
    dim, width = table.shape[1], 1 + negatives.shape[1]
    slot = np.empty(table.shape[0], np.int32)
    most = most_rows(row_offsets, low, high)
    slopes, hits = np.zeros((most, ends.size), np.float32), np.zeros(most, np.int32)
    vector, gradient = np.empty(dim, np.float32), np.zeros(dim, np.float32)
    slots = np.empty(group * width, np.int32)
    scores, batch_labels = (
        np.empty((ends.size, group * width), np.float32),
        np.empty(group, np.float32),
    )
    for client in range(low, high):
        first, last = row_offsets[client], row_offsets[client + 1]
        mine, rows = ids[first:last], change[first:last]
        take_rows(mine, table, slot, rows)
        for j in range(dim):
            vector[j] = user[client, j]
        order = np.arange(offsets[client], offsets[client + 1])
        for epoch in range(epochs):
            shuffle(order, key, phones[client], epoch)
            for start in range(0, order.size, group):
                batch = order[start : start + group]
                for k in range(batch.size):
                    batch_labels[k] = labels[batch[k]]
                fill_slots(batch, items, negatives, 0, slot, slots)
                step_blocks(
                    slots[: batch.size * width], batch_labels, width, code, ends, rows, vector,
                    steps, scores, slopes, hits, gradient,
                )  # fmt: skip
            if steps[3] > 0:
                decorrelate(rows, steps[1] * steps[3])
        for j in range(dim):
            user[client, j] = vector[j]
        leave_changes(mine, table, rows)
