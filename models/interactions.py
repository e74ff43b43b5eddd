"""Interactions: who did what when, as columns, and the same by user as ragged rows."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.draws import FloatArray, IntArray
from droidloop.platform.messages import ragged

Labels = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Interactions:
    """Events in the order of their file; users and items are numbered from 0.

    ``ratings`` are as read (1.0 where the source has none); ``times_s`` are unix seconds or any
    other non-decreasing count, -1 where unknown. ``user_labels`` and ``item_labels`` give the
    source's own names of the numbers.
    """

    users: IntArray
    items: IntArray
    ratings: FloatArray
    times_s: IntArray
    user_labels: Labels
    item_labels: Labels

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.user_labels)

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.item_labels)

    def __len__(self) -> int:
        return len(self.users)


@dataclass(frozen=True)
class UserItems:
    """Items by user, ragged: user *u* owns ``items[offsets[u]:offsets[u + 1]]``, oldest first."""

    items: IntArray
    offsets: IntArray
    times_s: IntArray
    ratings: FloatArray

    @property
    def n_users(self) -> int:
        """How many users there are, those without items included."""
        return len(self.offsets) - 1

    @property
    def counts(self) -> IntArray:
        """Return the number of items of each user, shape (n_users,)."""
        return np.diff(self.offsets)

    def of(self, user: int) -> IntArray:
        """Return the items of one user."""
        return self.items[self.offsets[user] : self.offsets[user + 1]]

    def take(self, users: IntArray) -> "UserItems":
        """Return the rows of *users*, in that order."""
        where, offsets = ragged(self.offsets, users)
        return UserItems(self.items[where], offsets, self.times_s[where], self.ratings[where])
