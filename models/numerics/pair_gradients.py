"""Slopes of the pair losses with respect to the vectors of users and items, compiled.

All kernels take the derivatives of the losses from here. ``add_slopes`` adds them up example by
example, in their order, into arrays that the caller brings: for central training and ego graphs.
"""

import numpy as np

from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel

LOSSES = {"log": 0, "bpr": 1, "squared": 2}
"""The numbers by which kernels know the losses."""

_ONE, _ZERO = np.float32(1), np.float32(0)


@kernel(inline="always", error_model="numpy")
def sigmoid(score: np.float32) -> np.float32:
    """Return the logistic function of *score*."""
    return np.float32(_ONE / (_ONE + np.exp(-score)))


@kernel(error_model="numpy")
def differentiate(
    scores: Float32Array, slots: Int32Array, labels: Float32Array, width: int, code: int
) -> None:
    """Replace the *scores* of a batch by the derivatives of its loss; -1 in *slots*: no pair.

    There are *width* pairs for each of *labels*: an item and its negatives. The derivatives of
    pairs that are none are not to be used.
    """
    for first in range(0, scores.size, width):
        if code == 1:
            chosen, pull = scores[first], _ZERO
            for s in range(first + 1, first + width):
                if slots[s] >= 0:
                    scores[s] = sigmoid(scores[s] - chosen)
                    pull += scores[s]
            scores[first] = -pull
            continue
        for s in range(first, first + width):
            label = labels[first // width] if s == first else _ZERO
            if code == 2:
                scores[s] = (scores[s] - label) + (scores[s] - label)
            else:
                scores[s] = sigmoid(scores[s]) - label


@kernel
def _loss(scores: Float32Array, slots: Int32Array, label: np.float32, code: int) -> float:
    """Return the loss of an item, the first pair, and its negatives."""
    loss = 0.0
    for s in range(1 if code == 1 else 0, scores.size):
        if slots[s] >= 0:
            wanted = label if s == 0 else _ZERO
            if code == 2:
                loss += float((scores[s] - wanted) * (scores[s] - wanted))
                continue
            score = scores[s] - scores[0] if code == 1 else scores[s]
            loss += float(max(score, _ZERO) - wanted * score + np.log1p(np.exp(-abs(score))))
    return loss


@kernel(error_model="numpy")
def add_slopes(
    users: IntArray,
    items: IntArray,
    labels: Float32Array,
    negatives: Int32Array,
    user: Float32Array,
    item: Float32Array,
    code: int,
    user_slopes: Float32Array,
    item_slopes: Float32Array,
) -> float:
    """Add the slopes of the losses of a batch, example by example; return the sum of the losses."""
    width, dim = 1 + negatives.shape[1], user.shape[1]
    slots, scores = np.empty(width, np.int32), np.empty(width, np.float32)
    pull, label = np.empty(dim, np.float32), np.ones(1, np.float32)
    loss = 0.0
    for e in range(users.size):
        u = users[e]
        for s in range(width):
            slots[s] = items[e] if s == 0 else negatives[e, s - 1]
            scores[s] = _product(user, u, item, slots[s]) if slots[s] >= 0 else _ZERO
        if code == 2:
            label[0] = labels[e]
        loss += _loss(scores, slots, label[0], code)
        differentiate(scores, slots, label, width, code)
        pull[:] = _ZERO
        for s in range(width):
            i, slope = slots[s], scores[s]
            if i >= 0:
                for j in range(dim):
                    pull[j] += slope * item[i, j]
                    item_slopes[i, j] += slope * user[u, j]
        for j in range(dim):
            user_slopes[u, j] += pull[j]
    return loss


@kernel(inline="always")
def _product(user: Float32Array, u: int, item: Float32Array, i: int) -> np.float32:
    # Eight sums, so that the compiler may use vectors without being allowed to reorder.
    a = b = c = d = e = f = g = h = _ZERO
    whole = user.shape[1] // 8 * 8
    for j in range(0, whole, 8):
        a += user[u, j] * item[i, j]
        b += user[u, j + 1] * item[i, j + 1]
        c += user[u, j + 2] * item[i, j + 2]
        d += user[u, j + 3] * item[i, j + 3]
        e += user[u, j + 4] * item[i, j + 4]
        f += user[u, j + 5] * item[i, j + 5]
        g += user[u, j + 6] * item[i, j + 6]
        h += user[u, j + 7] * item[i, j + 7]
    for j in range(whole, user.shape[1]):
        a += user[u, j] * item[i, j]
    return np.float32(((a + b) + (c + d)) + ((e + f) + (g + h)))


@kernel
def add_l2(
    users: IntArray,
    items: IntArray,
    negatives: Int32Array,
    user: Float32Array,
    item: Float32Array,
    l2: np.float32,
    user_slopes: Float32Array,
    item_slopes: Float32Array,
) -> None:
    """Add the slopes of l2 / 2 (|user|^2 + |item|^2) for every pair of every example."""
    for e in range(users.size):
        u = users[e]
        for s in range(1 + negatives.shape[1]):
            i = items[e] if s == 0 else np.int64(negatives[e, s - 1])
            if i >= 0:
                for j in range(user.shape[1]):
                    user_slopes[u, j] += l2 * user[u, j]
                    item_slopes[i, j] += l2 * item[i, j]
