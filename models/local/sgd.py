"""What local SGD is told: how steps are taken, on which examples, in which order."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.interfaces.learning import ItemRecommender
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws, below_at
from droidloop.platform.law import kernel

STEP_OPERATORS = 37
"""Of the exported step of MF with the log loss; those of a network's are not many more."""


@dataclass(frozen=True)
class Sgd:
    """How a client trains: plain SGD on the *sum* of the losses of a batch.

    Attributes:
        lr_user: step of what is private.
        lr_rows: step of what is shared.
        epochs: passes over the local data.
        batch: pairs of user and item in a batch; an item and its negatives stay together.
        lr_dense: step of what is shared and not read by row, such as the weights of a network, on
            which every pair of a batch pulls; None: ``lr_rows``.
    """

    lr_user: float = 0.05
    lr_rows: float = 0.05
    epochs: int = 1
    batch: int = 256
    lr_dense: float | None = None

    def rate(self, by_row: bool) -> float:
        """Return the step of a shared parameter that is read *by_row*, or of another one."""
        return self.lr_rows if by_row or self.lr_dense is None else self.lr_dense

    def group(self, negatives: int) -> int:
        """Return how many items with their *negatives* make a batch."""
        return max(1, self.batch // (1 + negatives))

    def operators(self, counts: IntArray, negatives: int) -> IntArray:
        """Return how many operators a runtime dispatches to train on *counts* items, by phone."""
        return STEP_OPERATORS * self.epochs * -(-counts // self.group(negatives))


class Trainer(Protocol):
    """A rule whose phones take steps of local SGD on local items and on items drawn for them."""

    @property
    def recommender(self) -> ItemRecommender:
        """The model."""
        ...

    @property
    def sgd(self) -> Sgd:
        """The steps."""
        ...

    @property
    def negatives(self) -> int:
        """How many items are drawn for each local item."""
        ...

    @property
    def exclude(self) -> UserItems | None:
        """By phone, the items that are never drawn; None: the local data."""
        ...


@dataclass(frozen=True)
class Examples:
    """What the phones of a cohort train on.

    Attributes:
        phones: row numbers for *draws*.
        data: local items, row k of ``phones[k]``.
        negatives: items drawn for each item of *data*, (len(data.items), k), -1: none.
        draws: the chance of the order of examples, drawn anew in every epoch.
        counter: a round; gives another order.
    """

    phones: IntArray
    data: UserItems
    negatives: Int32Array
    draws: Draws
    counter: int

    @classmethod
    def of(
        cls,
        rule: "Trainer",
        phones: IntArray,
        data: UserItems,
        draws: Draws,
        counter: int,
        threads: int | None = None,
    ) -> "Examples":
        """Return what *phones* train on by *rule*: *data*, and negatives drawn for them."""
        negatives = draw_negatives(
            *(data, rule.negatives, rule.recommender.n_items),
            data if rule.exclude is None else rule.exclude.take(phones),
            phones=phones,
            draws=draws,
            counter=counter,
            threads=threads,
        )
        return cls(phones, data, negatives, draws, counter)

    @property
    def order_key(self) -> np.uint64:
        """Of the draws of orders."""
        return order_key(self.draws, self.counter)

    def group(self, sgd: Sgd) -> int:
        """Return how many items with their negatives make a batch; no client has more."""
        most = int(self.data.counts.max(initial=1))
        return max(1, min(sgd.group(self.negatives.shape[1]), most))


@dataclass(frozen=True)
class Touched:
    """The rows of shared parameters that each phone's training reads, sorted, each once.

    Attributes:
        rows: by the name of each parameter that is read by row, the row numbers.
        offsets: where those of each phone begin, (phones + 1,).
    """

    rows: dict[str, Int32Array]
    offsets: dict[str, IntArray]


def order_key(draws: Draws, counter: int) -> np.uint64:
    """Return the key of the orders of examples in the round *counter*."""
    return np.uint64(draws.child(f"order/{counter}").key)


def order_of(draws: Draws, phone: int, counter: int, count: int, epochs: int) -> IntArray:
    """Return the order of a client's *count* examples in each epoch, shape (epochs, count)."""
    key = order_key(draws, counter)
    order = np.arange(count)
    out = np.empty((epochs, count), np.int64)
    for epoch in range(epochs):
        shuffle(order, key, phone, epoch)
        out[epoch] = order
    return out


def batches(order: IntArray, group: int) -> Iterator[IntArray]:
    """Yield the examples of each batch of at most *group*, epoch after epoch of *order*."""
    for epoch in order:
        for start in range(0, len(epoch), group):
            yield epoch[start : start + group]


@kernel
def shuffle(order: IntArray, key: np.uint64, phone: int, epoch: int) -> None:
    """Shuffle *order*, the examples of *phone* before *epoch*, in place."""
    count = order.size
    for last in range(count - 1, 0, -1):
        other = below_at(key, phone, epoch * count + last, last + 1)
        order[last], order[other] = order[other], order[last]


@kernel(inline="always")
def most_rows(offsets: IntArray, low: int, high: int) -> int:
    """Return the most rows that one of the clients from *low* to *high* holds."""
    most = 0
    for client in range(low, high):
        most = max(most, offsets[client + 1] - offsets[client])
    return most


@kernel(inline="always")
def take_rows(ids: Int32Array, table: Float32Array, slot: Int32Array, rows: Float32Array) -> None:
    """Copy the rows *ids* of *table* to *rows*, and note in *slot* where each id stands."""
    for r in range(ids.size):
        item = ids[r]  # read once: writing the row could change it, as far as the compiler knows
        slot[item] = r
        for j in range(table.shape[1]):
            rows[r, j] = table[item, j]


@kernel(inline="always")
def leave_changes(ids: Int32Array, table: Float32Array, rows: Float32Array) -> None:
    """Leave in *rows*, which ``take_rows`` copied and training moved, by how much they moved."""
    for r in range(ids.size):
        item = ids[r]
        for j in range(table.shape[1]):
            rows[r, j] -= table[item, j]
