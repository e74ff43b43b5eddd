"""Training with torch for any recommender on any batches; what fitters of tables are told."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.platform.draws import Draws

from .torch_descent import Feed, Penalty, TorchDescent

Validate = Callable[[Params], float]
"""A figure of merit, higher is better."""
Judge = Callable[[Recommender], Validate]
"""What makes the figure of merit of a model."""


@dataclass(frozen=True)
class Training:
    """How a recommender is trained: Adam (Kingma and Ba 2015) on the mean loss of each batch.

    Attributes:
        feed: the batches of each epoch.
        draws: the chance of tables that are seen by chance in each step.
        epochs: passes over the data, at most.
        lr: step of the optimizer.
        weight_decay: L2 of the optimizer.
        patience: training stops after so many epochs without a better one; None: never early.
    """

    feed: Feed
    draws: Draws
    epochs: int
    lr: float
    weight_decay: float = 0.0
    patience: int | None = None

    def descent(
        self,
        model: Recommender,
        params: Params,
        penalty: Penalty | None = None,
        only: frozenset[str] | None = None,
    ) -> TorchDescent:
        """Return what takes the steps; *only* the parameters of these names move."""
        return TorchDescent(
            *(model, params, self.lr, self.draws),
            weight_decay=self.weight_decay,
            mean=True,
            penalty=penalty,
            only=only,
        )

    def passes(
        self,
        model: Recommender,
        params: Params,
        penalty: Penalty | None = None,
        only: frozenset[str] | None = None,
    ) -> Iterator[Params]:
        """Yield the parameters after each epoch."""
        descent = self.descent(model, params, penalty, only)
        for epoch in range(self.epochs):
            descent.epoch(self.feed, epoch)
            yield descent.params

    def train(
        self,
        model: Recommender,
        params: Params,
        validate: Validate | None = None,
        penalty: Penalty | None = None,
        only: frozenset[str] | None = None,
    ) -> Params:
        """Return *params* trained: of the best epoch by *validate*, or of the last one."""
        passes = self.passes(model, params, penalty, only)
        return best_of(params, passes, validate, self.patience)


def best_of(
    first: Params, passes: Iterable[Params], validate: Validate | None, patience: int | None
) -> Params:
    """Return the best of *passes* by *validate*, of equals the first; without it, the last."""
    best, best_value, waited = first, -np.inf, 0
    for params in passes:
        if validate is None:
            best = params
            continue
        value, waited = validate(params), waited + 1
        if value > best_value:
            best, best_value, waited = params, value, 0
        elif patience is not None and waited >= patience:
            break
    return best
