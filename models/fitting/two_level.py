"""Two levels of training: what chooses is trained on validation, all else on training.

Liu, Simonyan, Yang: DARTS, Differentiable Architecture Search (ICLR 2019), in its first-order form:
steps on the two take turns.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

import torch

from droidloop.models.interfaces.learning import Batch, EmbeddingTable, Params, Recommender
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.vector_model import in_step
from droidloop.platform.errors import DroidloopError

from .torch_descent import Feed, Penalty
from .training import Training


@dataclass(frozen=True)
class Upper:
    """The upper level.

    Attributes:
        names: the parameters that choose.
        feed: batches of validation.
        lr: of their Adam.
        every: steps on training for one on validation.
        penalty: what they descend on beside the loss.
    """

    names: frozenset[str]
    feed: Feed
    lr: float = 0.01
    every: int = 1
    penalty: Penalty | None = None


def two_level(model: Recommender, params: Params, training: Training, upper: Upper) -> Params:
    """Return *params* after the epochs of *training*.

    Raises:
        DroidloopError: a loss became NaN or infinite.
    """
    fixed = _untrained(model.tables)
    values = {name: one.detach().clone() for name, one in params.items()}
    for name, one in values.items():
        one.requires_grad_(name not in fixed)
    own = [values[name] for name in sorted(upper.names)]
    others = [one for name, one in values.items() if name not in upper.names | fixed]
    descents = (
        torch.optim.Adam(others, lr=training.lr, weight_decay=training.weight_decay),
        torch.optim.Adam(own, lr=upper.lr),
    )
    held, steps = _endless(upper.feed), count()
    with one_thread():
        for epoch in range(training.epochs):
            for number, batch in enumerate(training.feed(epoch)):
                for level in range(1 + (number % upper.every == 0)):
                    seen = in_step(model, training.draws, level, next(steps))
                    loss = seen.loss(values, next(held) if level else batch).mean()
                    if level and upper.penalty is not None:
                        loss = loss + upper.penalty(values)
                    if not torch.isfinite(loss):
                        raise DroidloopError(f"training: the loss is {loss} in epoch {epoch}")
                    descents[level].zero_grad()
                    moved = own if level else others
                    slopes = torch.autograd.grad(loss, moved, allow_unused=True)
                    for one, slope in zip(moved, slopes, strict=True):
                        one.grad = slope
                    descents[level].step()
    return {name: one.detach().clone() for name, one in values.items()}


def _untrained(tables: dict[str, EmbeddingTable]) -> set[str]:
    return {
        name
        for table in tables.values()
        for name, one in table.parameters.items()
        if not one.trained
    }


def _endless(feed: Feed) -> Iterator[Batch]:
    for epoch in count():
        yield from feed(epoch)
