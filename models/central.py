"""Central training of MF and LightGCN, compiled: the arithmetic of ``fit`` without autograd.

A step adds up the slopes of a batch and lets Adam (Kingma and Ba 2015) move every vector. Torch
does the same to float32 rounding and takes several times as long, most of it for copies of rows.
"""

from typing import final

import numpy as np
import torch
from numba import njit

from droidloop.platform.draws import IntArray
from droidloop.platform.messages import Array

from .interfaces import Params, Recommender
from .kernels import Float32Array
from .lightgcn import LightGCN
from .mf import MF
from .propagation import propagate
from .sampling import Int32Array
from .tables import DenseTable

_LOSSES = {"log": 0, "bpr": 1, "squared": 2}
_BETA1, _BETA2, _EPSILON = np.float32(0.9), np.float32(0.999), np.float32(1e-8)
_ONE, _ZERO = np.float32(1), np.float32(0)


@final
class Descent:
    """Adam on the vectors of MF or LightGCN with a dense table; one thread, the same bits."""

    def __init__(
        self, recommender: Recommender, params: Params, lr: float, weight_decay: float = 0.0
    ) -> None:
        exact = type(recommender) in (MF, LightGCN)  # one that inherits may score otherwise
        if not exact or not isinstance(recommender, MF | LightGCN):
            raise TypeError(f"the compiled engine trains MF and LightGCN, not {recommender!r}")
        if not isinstance(recommender.items, DenseTable):
            raise TypeError(f"the compiled engine trains a dense table, not {recommender.items!r}")
        self._recommender, self._lr, self._steps = recommender, lr, 0
        self._decay = np.float32(weight_decay)
        self._code = _LOSSES[recommender.loss_name]
        names = ("user", recommender.items.name)
        self._values = {name: params[name].detach().numpy().copy() for name in names}
        self._moments = {
            name: np.zeros((2, *self._values[name].shape), np.float32) for name in names
        }

    @property
    def params(self) -> Params:
        """The present values; copies."""
        return {name: torch.from_numpy(value.copy()) for name, value in self._values.items()}

    def step(self, users: IntArray, items: IntArray, labels: Array, negatives: Int32Array) -> float:
        """Descend on the sum of the losses of a batch; return that sum, without the regulariser.

        Args:
            users: (batch,).
            items: what they chose, (batch,).
            labels: the ratings, (batch,).
            negatives: (batch, k), -1 where there is none.
        """
        model, (user, item) = self._recommender, self._values.values()
        user_slopes, item_slopes = np.zeros_like(user), np.zeros_like(item)
        vectors, layers = (user, item), 0
        if isinstance(model, LightGCN):
            layers = model.layers
            vectors = propagate(model.graph, user, item, layers, threads=1)
        batch = (users, items, np.asarray(labels, np.float32), negatives)
        loss = _add_slopes(*batch, *vectors, self._code, user_slopes, item_slopes)
        slopes = user_slopes, item_slopes
        if isinstance(model, LightGCN) and layers:
            slopes = propagate(model.graph, *slopes, layers, threads=1)
        if model.l2:
            _add_l2(users, items, negatives, user, item, np.float32(model.l2), *slopes)
        self._steps += 1
        rate = np.float32(self._lr / (1 - 0.9**self._steps))
        root = np.float32(1 / np.sqrt(1 - 0.999**self._steps))
        for value, slope, moments in zip(
            self._values.values(), slopes, self._moments.values(), strict=True
        ):
            flat = value.ravel(), slope.ravel(), moments.reshape(2, -1)
            _adam(*flat, rate, root, self._decay)
        return loss


@njit(cache=True, nogil=True, error_model="numpy")
def _slope(score: np.float32, label: np.float32, code: int) -> tuple[np.float32, float]:
    """Return the derivative of the log or the squared loss, and the loss."""
    if code == 2:
        gap = score - label
        return gap + gap, float(gap * gap)
    decay = np.exp(-abs(score))
    sigmoid = (_ONE if score >= 0 else decay) / (_ONE + decay)
    return np.float32(sigmoid - label), float(max(score, _ZERO) - label * score + np.log1p(decay))


@njit(cache=True, nogil=True, error_model="numpy")
def _add_slopes(
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


@njit(cache=True, nogil=True, inline="always")
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


@njit(cache=True, nogil=True)
def _add_l2(
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


@njit(cache=True, nogil=True, error_model="numpy")
def _adam(
    value: Float32Array,
    slope: Float32Array,
    moments: Float32Array,
    rate: np.float32,
    root: np.float32,
    decay: np.float32,
) -> None:
    """Move *value*; *rate* and *root* carry the corrections of the step's number."""
    first, second = moments[0], moments[1]
    for k in range(value.size):
        g = slope[k] + decay * value[k]
        first[k] += (_ONE - _BETA1) * (g - first[k])
        second[k] = _BETA2 * second[k] + (_ONE - _BETA2) * g * g
        value[k] -= rate * first[k] / (np.sqrt(second[k]) * root + _EPSILON)
