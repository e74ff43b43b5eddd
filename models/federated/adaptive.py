"""Adaptive server rules: folds that keep moments of what they have summed up."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.staleness import Staleness, within
from droidloop.platform.arrays import Array, FloatArray
from droidloop.platform.state import Stateful, kept_value

from .folds import Fold, Sums, by_items, equally


@kept_value
@dataclass
class _Moments:
    """Exponential means of the pseudo-gradient and of its square, for one array."""

    first: FloatArray
    second: FloatArray
    steps: int = 0

    def see(self, gradient: FloatArray, beta1: float, beta2: float) -> None:
        self.steps += 1
        self.first = beta1 * self.first + (1 - beta1) * gradient
        self.second = beta2 * self.second + (1 - beta2) * gradient**2


class _Remembers(Stateful):
    """A way to combine that keeps the moments of every array; they start at zero."""

    STATE = ("_moments",)

    def __init__(self, move: Callable[[str, Array, Sums, _Moments], Array]) -> None:
        self._move = move
        self._moments: dict[str, _Moments] = {}

    def __call__(self, name: str, table: Array, sums: Sums) -> Array:
        """Return the new values; see ``folds.Combine``."""
        if name not in self._moments:
            self._moments[name] = _Moments(np.zeros_like(sums.change), np.zeros_like(sums.change))
        return self._move(name, table, sums, self._moments[name])


def fed_adam(
    params: Params,
    step: float = 0.01,
    *,
    beta1: float = 0.9,
    beta2: float = 0.99,
    tau: float = 1e-3,
    staleness: Staleness | None = None,
) -> Fold:
    """Move by *step* m / (sqrt(v) + *tau*), m and v the moments of the mean change.

    Reddi et al., Adaptive Federated Optimization (ICLR 2021), algorithm 2: no correction of the
    moments' bias. The mean is weighted by local items; a row that a message does not hold counts
    as unchanged. *tau* should have the size of a change that matters.
    """

    def move(name: str, table: Array, sums: Sums, moments: _Moments) -> Array:
        mean = sums.change / sums.weight if sums.weight > 0 else np.zeros_like(sums.change)
        moments.see(mean, beta1, beta2)
        return table + step * moments.first / (np.sqrt(moments.second) + tau)

    return Fold(params, _Remembers(move), weigh=by_items, staleness=staleness or within(0))


def adam(
    params: Params,
    step: float = 0.01,
    *,
    l2: float = 0.0,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
    staleness: Staleness | None = None,
) -> Fold:
    """Take one step of Adam on the sum of all gradients, plus 2 *l2* times the parameters.

    Kingma and Ba (ICLR 2015), algorithm 1; the regulariser is that of a loss with *l2* |x|^2.
    """

    def move(name: str, table: Array, sums: Sums, moments: _Moments) -> Array:
        gradient = 2 * l2 * table.astype(np.float64) - sums.change
        moments.see(gradient, beta1, beta2)
        first = moments.first / (1 - beta1**moments.steps)
        second = moments.second / (1 - beta2**moments.steps)
        return table - step * first / (np.sqrt(second) + epsilon)

    return Fold(params, _Remembers(move), weigh=equally, staleness=staleness or within(0))
