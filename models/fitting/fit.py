"""Central training of any recommender: the baseline that every method on phones is held to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.interfaces.learning import Batch, Params, Recommender
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.vector_model import in_step
from droidloop.platform.arrays import Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, DroidloopError

from .compiled_adam import Descent

Optimizer = Literal["adam", "sgd"]
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
    validate: Callable[[Params], float] | None = None,
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
    best, best_value, waited = descent.params, -np.inf, 0
    for epoch in range(chosen.epochs):
        drawn = _drawn(train, exclude, chosen.negatives, n_items, draws, epoch)
        parts = _batches(len(train.items), chosen.batch, draws, epoch)
        _epoch(descent, train, drawn, parts, epoch)
        descent.slow_down(chosen.decay)
        if validate is None:
            continue
        value, waited = validate(descent.params), waited + 1
        if value > best_value:
            best, best_value, waited = descent.params, value, 0
        elif chosen.patience is not None and waited >= chosen.patience:
            break
    return descent.params if validate is None else best


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
) -> "Descent | _TorchDescent":
    if engine == "torch":
        return _TorchDescent(recommender, params, chosen, draws)
    if chosen.optimizer != "adam":
        raise ValueError(f"the compiled engine has no optimizer {chosen.optimizer!r}, only adam")
    return Descent(recommender, params, chosen.lr, chosen.weight_decay)


def _batches(count: int, size: int, draws: Draws, epoch: int) -> Iterator[IntArray]:
    """Yield the numbers of the examples of each batch, in the order of this epoch."""
    order = np.argsort(draws.child("epoch").bits(np.arange(count), epoch), kind="stable")
    for start in range(0, count, size):
        yield order[start : start + size]


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


class _TorchDescent:
    """Steps of an optimizer of torch on any recommender."""

    def __init__(
        self, recommender: Recommender, params: Params, chosen: Hyperparameters, draws: Draws
    ) -> None:
        self._recommender, self._draws, self._steps = recommender, draws, 0
        self._values = {n: value.detach().clone().requires_grad_() for n, value in params.items()}
        make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[chosen.optimizer]
        values = list(self._values.values())
        self._descent = make(values, lr=chosen.lr, weight_decay=chosen.weight_decay)

    @property
    def params(self) -> Params:
        """The present values; copies."""
        return {name: value.detach().clone() for name, value in self._values.items()}

    def slow_down(self, factor: float) -> None:
        """Multiply the step by *factor*."""
        for group in self._descent.param_groups:
            group["lr"] *= factor

    def step(self, users: IntArray, items: IntArray, labels: Array, negatives: Int32Array) -> float:
        """Descend on the sum of the losses of a batch, unless it is not finite; return it."""
        batch = Batch(
            users=torch.from_numpy(users),
            items=torch.from_numpy(items),
            labels=torch.from_numpy(labels.astype(np.float32)),
            negatives=torch.from_numpy(negatives.astype(np.int64)),
        )
        self._descent.zero_grad()
        model = in_step(self._recommender, self._draws, 0, self._steps)
        self._steps += 1
        loss = model.loss(self._values, batch).sum()
        value = float(loss.item())
        if np.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]
            self._descent.step()
        return value
