"""Slopes of the pair losses with respect to the vectors of users and items, compiled.

Example by example, in their order, into arrays that the caller brings: central training and
training on ego graphs share it.
"""

import numpy as np

from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel

LOSSES = {"log": 0, "bpr": 1, "squared": 2}
"""The numbers by which ``add_slopes`` knows the losses."""

_ONE, _ZERO = np.float32(1), np.float32(0)


@kernel(error_model="numpy")
def _slope(score: np.float32, label: np.float32, code: int) -> tuple[np.float32, float]:
    """Return the derivative of the log or the squared loss, and the loss."""
    if code == 2:
        gap = score - label
        return gap + gap, float(gap * gap)
    decay = np.exp(-abs(score))
    sigmoid = (_ONE if score >= 0 else decay) / (_ONE + decay)
    return np.float32(sigmoid - label), float(max(score, _ZERO) - label * score + np.log1p(decay))


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
    slots, scores = np.empty(width, np.int64), np.empty(width, np.float32)
    pull = np.empty(dim, np.float32)
    loss = 0.0
    for e in range(users.size):
        u = users[e]
        for s in range(width):
            slots[s] = items[e] if s == 0 else negatives[e, s - 1]
            scores[s] = _ZERO
            if slots[s] >= 0:
                scores[s] = _product(user, u, item, slots[s])
        if code == 1:
            chosen = scores[0]
            scores[0] = _ZERO
            for s in range(1, width):
                if slots[s] >= 0:
                    scores[s], more = _slope(scores[s] - chosen, _ZERO, 0)
                    scores[0] -= scores[s]
                    loss += more
        else:
            for s in range(width):
                label = _ZERO if s > 0 else (labels[e] if code == 2 else _ONE)
                if slots[s] >= 0:
                    scores[s], more = _slope(scores[s], label, code)
                    loss += more
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
