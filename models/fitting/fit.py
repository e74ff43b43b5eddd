"""Central training of any recommender: the baseline that every method on phones is held to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.models.numerics.one_thread import one_thread
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, DroidloopError

from .compiled_adam import Descent
from .torch_descent import Optimizer, TorchDescent, orders
from .training import Validate, best_of

Engine = Literal["torch", "numba"]


@dataclass(frozen=True)
class Hyperparameters:
    """How a model is trained in one place.

    Attributes:
        epochs: passes over the data, at most.
        lr: step of the optimizer.
        batch: items in a batch, each with its negatives.
        negatives: items drawn for each item.
        optimizer: ``adam`` (Kingma and Ba 2015) or ``sgd``.
        weight_decay: L2 of the optimizer.
        decay: the step is multiplied by this after each epoch.
        patience: training stops after so many epochs without a better one; None: never early.
    """

    epochs: int
    lr: float
    batch: int
    negatives: int
    optimizer: Optimizer = "adam"
    weight_decay: float = 0.0
    decay: float = 1.0
    patience: int | None = None


def fit(
    recommender: Recommender,
    params: Params,
    train: UserItems,
    chosen: Hyperparameters,
    *,
    n_items: int,
    draws: Draws,
    exclude: UserItems | None = None,
    validate: Validate | None = None,
    engine: Engine = "torch",
) -> Params:
    """Return *params* trained on *train*; the same *draws* give the same bits.

    Each epoch draws new negatives and a new order. A step descends on the sum of the losses of a
    batch (of which Adam's step does not depend on the scale). With *validate* the parameters of
    the best epoch are returned.

    Args:
        recommender: gives the loss.
        params: all parameters, private ones with one row a user; not changed.
        train: items by user.
        chosen: steps, batches, epochs.
        n_items: negatives are drawn from 0..n_items-1.
        draws: the chance of negatives (row: user) and orders.
        exclude: by user, the items never drawn as negatives; None: those of *train*.
        validate: a figure of merit, higher is better; called after each epoch.
        engine: ``torch``, for any recommender, or ``numba`` for MF and LightGCN under Adam, which
            is several times as fast and gives the same to float32 rounding.

    Raises:
        DataError: *train* is empty.
        DroidloopError: the loss became NaN or infinite.
        TypeError: the compiled engine does not know the recommender.
        ValueError: or not the optimizer.
    """
    if len(train.items) == 0:
        raise DataError("training data: 0 interactions; use data with at least one")
    descent = _descent(engine, recommender, params, chosen, draws)

    def passes() -> Iterator[Params]:
        for epoch in range(chosen.epochs):
            drawn = _drawn(train, exclude, chosen.negatives, n_items, draws, epoch)
            parts = orders(len(train.items), chosen.batch, draws, epoch)
            _epoch(descent, train, drawn, parts, epoch)
            descent.slow_down(chosen.decay)
            yield descent.params

    return best_of(descent.params, passes(), validate, chosen.patience)


def _drawn(
    train: UserItems,
    exclude: UserItems | None,
    negatives: int,
    n_items: int,
    draws: Draws,
    epoch: int,
) -> Any:
    """Return the negatives of *epoch*, (examples, negatives)."""
    return draw_negatives(
        *(train, negatives, n_items, train if exclude is None else exclude),
        phones=np.arange(train.n_users),
        draws=draws,
        counter=epoch,
    )


def _epoch(descent: Any, train: UserItems, drawn: Any, parts: Any, epoch: int) -> None:
    """Take a step on each of *parts* of the examples with their negatives *drawn*."""
    owners = np.repeat(np.arange(train.n_users), train.counts)
    with one_thread():
        for part in parts:
            loss = descent.step(owners[part], train.items[part], train.ratings[part], drawn[part])
            if not np.isfinite(loss):
                raise DroidloopError(f"training: the loss is {loss} in epoch {epoch}; lower lr")


def _descent(
    engine: Engine,
    recommender: Recommender,
    params: Params,
    chosen: Hyperparameters,
    draws: Draws,
) -> Descent | TorchDescent:
    if engine == "torch":
        return TorchDescent(
            *(recommender, params, chosen.lr, draws),
            optimizer=chosen.optimizer,
            weight_decay=chosen.weight_decay,
        )
    if chosen.optimizer != "adam":
        raise ValueError(f"the compiled engine has no optimizer {chosen.optimizer!r}, only adam")
    return Descent(recommender, params, chosen.lr, chosen.weight_decay)


def scorer(recommender: Recommender, params: Params, n_items: int) -> Callable[..., Array]:
    """Return a function of (users, items) that gives scores, for evaluation.

    Without items it scores all of them: shape (users, n_items). With items of shape (users,
    width), those of each user.
    """
    every = torch.arange(n_items)[None, :]

    def score(users: IntArray, items: IntArray | None = None) -> Array:
        with torch.no_grad():
            ids = every if items is None else torch.from_numpy(items)
            scores: Array = recommender.score(params, torch.from_numpy(users)[:, None], ids).numpy()
            return scores

    return score
