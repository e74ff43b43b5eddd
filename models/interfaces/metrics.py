"""What a metric is, and what metrics are functions of.

A metric is one file in ``models/metrics``. It stands then in table, JSON, ledger, classes of
phones, comparisons and pictures. A value that is NaN says that a user does not count.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np

from droidloop.models.data.split import Split
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.errors import DivergedError
from droidloop.platform.section import ListLength, Section

Source = Literal["ranks", "ratings", "lists"]
Answers = Literal["ranks", "ratings"]
"""What a trained model gives: an order of all items, or only scores of samples with labels."""


@dataclass(frozen=True)
class Ranked:
    """Ranks, from 1, of what was held out: user *u* has ``ranks[offsets[u]:offsets[u + 1]]``.

    Every user has one at least, and no two are equal.
    """

    ranks: IntArray
    offsets: IntArray

    @cached_property
    def counts(self) -> IntArray:
        """How many items of each user were held out."""
        return np.diff(self.offsets)

    @cached_property
    def users(self) -> IntArray:
        """The user of each rank."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    def sums(self, values: Array) -> FloatArray:
        """Return the sum over each user's items of *values*, one a rank."""
        return np.bincount(self.users, values, len(self.counts)).astype(np.float64, copy=False)


@dataclass(frozen=True)
class Rated:
    """Labels (1: liked, 0: not) and scores of samples, user by user as in ``Ranked``.

    Raises:
        ValueError: a score is NaN.
    """

    labels: Array
    scores: Array
    offsets: IntArray

    def __post_init__(self) -> None:
        if np.isnan(self.scores).any():
            raise DivergedError(
                "scores contain NaN; the model diverged: lower training.learning_rate"
            )


@dataclass(frozen=True)
class Listed:
    """What *users* are shown: ``items`` (users, k), the best first; -1: there are no more.

    The *split* says what users had, and which items there are.
    """

    users: IntArray
    items: IntArray
    split: Split

    def take(self, chosen: Any) -> "Listed":
        """Return the lists of some, by number or mask."""
        return Listed(self.users[chosen], self.items[chosen], self.split)


@dataclass(frozen=True)
class Metric:
    """One metric, ready to be asked.

    Attributes:
        name: in the ledger, such as ``hr_at_10``.
        label: for people, such as ``HR@10``.
        of: what it is a function of: ``Ranked``, ``Rated`` or ``Listed``.
        value: one value a user (users,), or one for all of them.
        better: which way it improves.
        whole: whether it is one value for all.
        depth: how long the lists must be of which it is a function.
    """

    name: str
    label: str
    of: Source
    value: Callable[..., Any]
    better: Literal["higher", "lower"] = "higher"
    whole: bool = False
    depth: int = 0

    @property
    def sign(self) -> int:
        """1 where more is better, -1 where less is."""
        return 1 if self.better == "higher" else -1

    def mean(self, shown: Ranked | Rated | Listed) -> float:
        """Return the mean over the users that count; NaN where none does."""
        values = np.atleast_1d(np.asarray(self.value(shown), np.float64))
        values = values[~np.isnan(values)]
        return float(values.mean()) if len(values) else float("nan")

    def at(self, k: int) -> "Metric":
        """Return the metric of the best *k*: in its name, its label and its function's ``k``."""
        return replace(
            self,
            name=f"{self.name}_at_{k}",
            label=f"{self.label}@{k}",
            value=partial(self.value, k=k),
            depth=k,
        )


class AtK(Section):
    """The keys of a metric of the best k."""

    k: ListLength = 10
    """How many items count; ``evaluation.k`` where it is not given."""
