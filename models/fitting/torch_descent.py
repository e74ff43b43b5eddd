"""Steps of an optimizer of torch on any recommender, and where its batches come from."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.data.samples import Samples
from droidloop.models.interfaces.learning import Batch, Params, Recommender
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.vector_model import in_step
from droidloop.platform.arrays import Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DroidloopError

Optimizer = Literal["adam", "sgd"]
Feed = Callable[[int], Iterator[Batch]]
"""Yields the batches of an epoch, by its number."""
Penalty = Callable[[Params], torch.Tensor]
"""What a step descends on beside the losses, by the parameters."""


class TorchDescent:
    """Adam or SGD on the sums of the losses of batches; tables are as each step sees them.

    Means instead of sums where that is wanted; *only* some parameters move, if these are named.
    """

    def __init__(
        self,
        recommender: Recommender,
        params: Params,
        lr: float,
        draws: Draws,
        *,
        optimizer: Optimizer = "adam",
        weight_decay: float = 0.0,
        mean: bool = False,
        penalty: Penalty | None = None,
        only: frozenset[str] | None = None,
    ) -> None:
        self._recommender, self._draws, self._steps = recommender, draws, 0
        self._mean, self._penalty = mean, penalty
        fixed = {
            name
            for table in recommender.tables.values()
            for name, one in table.parameters.items()
            if not one.trained
        }
        self._values = {n: value.detach().clone() for n, value in params.items()}
        for name, value in self._values.items():
            value.requires_grad_(name not in fixed and (only is None or name in only))
        make: Any = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD}[optimizer]
        moved = [value for value in self._values.values() if value.requires_grad]
        self._descent = make(moved, lr=lr, weight_decay=weight_decay)

    @property
    def params(self) -> Params:
        """The present values; copies."""
        return {name: value.detach().clone() for name, value in self._values.items()}

    @property
    def values(self) -> Params:
        """The present values themselves, to look at."""
        return self._values

    def slow_down(self, factor: float) -> None:
        """Multiply the step by *factor*."""
        for group in self._descent.param_groups:
            group["lr"] *= factor

    def step(self, users: IntArray, items: IntArray, labels: Array, negatives: Int32Array) -> float:
        """Descend on the sum of the losses of a batch, unless it is not finite; return it."""
        return self.step_on(_batch(users, items, labels, negatives))

    def step_on(self, batch: Batch, seen: Recommender | None = None) -> float:
        """Descend on the losses of *batch*, unless they are not finite; return their sum.

        The step sees the recommender, or another one of the same parameters.
        """
        self._descent.zero_grad()
        model = in_step(seen or self._recommender, self._draws, 0, self._steps)
        self._steps += 1
        losses = model.loss(self._values, batch)
        loss = losses.mean() if self._mean else losses.sum()
        if self._penalty is not None:
            loss = loss + self._penalty(self._values)
        value = float(loss.item())
        if np.isfinite(value):
            loss.backward()  # type: ignore[no-untyped-call]
            self._descent.step()
        return value

    def epoch(self, feed: Feed, number: int) -> None:
        """Take a step on each batch of the epoch *number*.

        Raises:
            DroidloopError: the loss became NaN or infinite.
        """
        with one_thread():
            for batch in feed(number):
                loss = self.step_on(batch)
                if not np.isfinite(loss):
                    raise DroidloopError(f"training: the loss is {loss} in epoch {number}")


def _batch(users: IntArray, items: IntArray, labels: Array, negatives: Int32Array) -> Batch:
    return Batch(
        users=torch.from_numpy(users),
        items=torch.from_numpy(items),
        labels=torch.from_numpy(labels.astype(np.float32)),
        negatives=torch.from_numpy(negatives.astype(np.int64)),
    )


def orders(count: int, size: int, draws: Draws, epoch: int) -> Iterator[IntArray]:
    """Yield the numbers of the examples of each batch, in the order of this epoch."""
    order = np.argsort(draws.child("epoch").bits(np.arange(count), epoch), kind="stable")
    for start in range(0, count, size):
        yield order[start : start + size]


def labelled(samples: Samples, size: int, draws: Draws) -> Feed:
    """Return batches of *size* samples with their labels, without histories."""

    def batches(epoch: int) -> Iterator[Batch]:
        for part in orders(len(samples), size, draws, epoch):
            yield Batch(
                torch.from_numpy(samples.users[part]),
                torch.from_numpy(samples.items[part].astype(np.int64)),
                torch.from_numpy(samples.labels[part]),
            )

    return batches


def implicit(
    train: UserItems,
    size: int,
    negatives: int,
    n_items: int,
    draws: Draws,
    exclude: UserItems | None = None,
) -> Feed:
    """Return batches of *size* events, each with *negatives* items drawn anew in every epoch.

    Negatives are in none of the user's events of *exclude*, or of *train*.
    """
    owners = np.repeat(np.arange(train.n_users), train.counts)

    def batches(epoch: int) -> Iterator[Batch]:
        drawn = draw_negatives(
            *(train, negatives, n_items, train if exclude is None else exclude),
            phones=np.arange(train.n_users),
            draws=draws,
            counter=epoch,
        )
        for part in orders(len(train.items), size, draws, epoch):
            yield _batch(owners[part], train.items[part], train.ratings[part], drawn[part])

    return batches
