"""Central training of MF and LightGCN, compiled: the arithmetic of ``fit`` without autograd.

A step adds up the slopes of a batch and lets Adam (Kingma and Ba 2015) move every vector. Torch
does the same to float32 rounding and takes several times as long, most of it for copies of rows.
"""

from typing import TypeGuard, final

import numpy as np
import torch

from droidloop.models.graphs.propagation import propagate
from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.models.numerics.pair_gradients import LOSSES, add_l2, add_slopes
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import own_rows
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel

_BETA1, _BETA2, _EPSILON = np.float32(0.9), np.float32(0.999), np.float32(1e-8)
_ONE = np.float32(1)


def compiles(recommender: Recommender) -> TypeGuard[MF | LightGCN]:
    """Return whether ``Descent`` trains *recommender*: with a row for each item."""
    # one that inherits may score otherwise
    return type(recommender) in (MF, LightGCN) and own_rows(*recommender.tables.values())


@final
class Descent:
    """Adam on the vectors of MF or LightGCN, one row each; one thread, the same bits."""

    def __init__(
        self, recommender: Recommender, params: Params, lr: float, weight_decay: float = 0.0
    ) -> None:
        if not compiles(recommender):
            raise TypeError(
                "the compiled engine trains MF and LightGCN on a table with a row for each item, "
                f"not {recommender!r}"
            )
        self._recommender, self._lr, self._steps = recommender, lr, 0
        self._decay = np.float32(weight_decay)
        self._code = LOSSES[recommender.loss_name]
        names = ("user", recommender.items.name)
        self._values = {name: params[name].detach().numpy().copy() for name in names}
        self._moments = {
            name: np.zeros((2, *self._values[name].shape), np.float32) for name in names
        }

    @property
    def params(self) -> Params:
        """The present values; copies."""
        return {name: torch.from_numpy(value.copy()) for name, value in self._values.items()}

    def slow_down(self, factor: float) -> None:
        """Multiply the step by *factor*."""
        self._lr *= factor

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
        loss = add_slopes(*batch, *vectors, self._code, user_slopes, item_slopes)
        slopes = user_slopes, item_slopes
        if isinstance(model, LightGCN) and layers:
            slopes = propagate(model.graph, *slopes, layers, threads=1)
        if model.l2:
            add_l2(users, items, negatives, user, item, np.float32(model.l2), *slopes)
        self._steps += 1
        rate = np.float32(self._lr / (1 - 0.9**self._steps))
        root = np.float32(1 / np.sqrt(1 - 0.999**self._steps))
        for value, slope, moments in zip(
            self._values.values(), slopes, self._moments.values(), strict=True
        ):
            flat = value.ravel(), slope.ravel(), moments.reshape(2, -1)
            _adam(*flat, rate, root, self._decay)
        return loss


@kernel(error_model="numpy")
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
