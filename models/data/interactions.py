"""Interactions: who did what when, as columns, and the same by user as ragged rows."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from droidloop.platform.arrays import BoolArray, FloatArray, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.messages import ragged
from droidloop.platform.state import kept_value

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

    def keep(self, wanted: BoolArray) -> "Interactions":
        """Return the events where *wanted* is true, as a data set of its own.

        Users and items that are left without an event vanish, and the others are renumbered.
        """
        users, user_labels = _renumber(self.users[wanted], self.user_labels)
        items, item_labels = _renumber(self.items[wanted], self.item_labels)
        ratings, times_s = self.ratings[wanted], self.times_s[wanted]
        return Interactions(users, items, ratings, times_s, user_labels, item_labels)


@kept_value
@dataclass(frozen=True)
class UserItems:
    """Items by user, ragged: user *u* owns ``items[offsets[u]:offsets[u + 1]]``, oldest first."""

    items: IntArray
    offsets: IntArray
    times_s: IntArray
    ratings: FloatArray

    @classmethod
    def bare(cls, items: IntArray, offsets: IntArray) -> "UserItems":
        """Return items without times (-1) and ratings (1.0), which then take no memory."""
        times_s = np.broadcast_to(np.int64(-1), len(items))
        return cls(items, offsets, times_s, np.broadcast_to(1.0, len(items)))

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

    def by(self, time_s: float) -> "UserItems":
        """Return the events that had happened at *time_s*; all whose times are unknown."""
        return self.keep(self.times_s <= time_s)

    def keep(self, wanted: BoolArray) -> "UserItems":
        """Return the events where *wanted* is true, of the same users."""
        before = np.concatenate([[0], np.cumsum(wanted)]).astype(np.int64)
        return UserItems(
            *(self.items[wanted], before[self.offsets], self.times_s[wanted], self.ratings[wanted])
        )


def first_events(interactions: Interactions) -> BoolArray:
    """Return which events are a user's first of their item, in the order of ``by_user``."""
    order, _ = chronological(interactions)
    pairs = interactions.users * interactions.n_items + interactions.items
    _, first = np.unique(pairs[order], return_index=True)
    found = np.zeros(len(interactions), np.bool_)
    found[order[first]] = True
    return found


def by_user(interactions: Interactions) -> UserItems:
    """Return the events of each user, oldest first.

    Of two events at the same second the *earlier* row of the file is the *later* event, as in the
    protocol of PFedRec (IJCAI 2023), whose figures we compare with. Events of unknown time come
    before those of known time, in the order of the file.
    """
    order, offsets = chronological(interactions)
    times_s, ratings = interactions.times_s[order], interactions.ratings[order]
    return UserItems(interactions.items[order], offsets, times_s, ratings)


def chronological(interactions: Interactions) -> tuple[IntArray, IntArray]:
    """Return the rows of the file in the order of ``by_user``, and its offsets."""
    counts = np.bincount(interactions.users, minlength=interactions.n_users)
    offsets = np.zeros(interactions.n_users + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    if _in_order(interactions.users, interactions.times_s):
        return np.arange(len(interactions.users)), offsets
    return _grouped(_oldest_first(interactions.times_s), interactions.users, offsets), offsets


def union(*parts: UserItems) -> UserItems:
    """Return the items that a user has in any of *parts*, sorted, each once, without times."""
    users = np.concatenate([np.repeat(np.arange(part.n_users), part.counts) for part in parts])
    items = np.concatenate([part.items for part in parts])
    width = int(items.max(initial=0)) + 1
    users, items = np.divmod(np.unique(users * width + items), width)
    counts = np.bincount(users, minlength=parts[0].n_users)
    return UserItems.bare(items, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def behind(first: UserItems, second: UserItems) -> UserItems:
    """Return the events of both, those of *second* behind those of *first*, user by user."""
    at = np.repeat(first.offsets[1:], second.counts)

    def both(one: Any, other: Any) -> Any:
        return np.insert(one, at, other)

    return UserItems(
        both(first.items, second.items),
        np.asarray(first.offsets + second.offsets, np.int64),
        both(first.times_s, second.times_s),
        both(first.ratings, second.ratings),
    )


def each_once(data: UserItems) -> UserItems:
    """Return the items of each user, sorted, each once with the sum of its ratings, no times."""
    users = np.repeat(np.arange(data.n_users), data.counts)
    width = int(data.items.max(initial=0)) + 1
    keys, place = np.unique(users * width + data.items, return_inverse=True)
    users, items = np.divmod(keys, width)
    counts = np.bincount(users, minlength=data.n_users)
    once = UserItems.bare(items, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))
    ratings = np.bincount(place, data.ratings, len(keys)).astype(np.float64, copy=False)
    return replace(once, ratings=ratings)


def _renumber(numbers: IntArray, labels: Labels) -> tuple[IntArray, Labels]:
    used = np.bincount(numbers, minlength=len(labels)) > 0
    return (np.cumsum(used) - 1)[numbers], labels[used]


def _in_order(users: IntArray, times_s: IntArray) -> bool:
    """Tell whether the file has user after user, each one's events at rising times."""
    later = users[1:] > users[:-1]
    return bool(np.all(later | ((users[1:] == users[:-1]) & (times_s[1:] > times_s[:-1]))))


def _oldest_first(times_s: IntArray) -> IntArray:
    """Return the order of all events by time alone; see ``by_user``."""
    order: IntArray = times_s.size - 1 - np.argsort(times_s[::-1], kind="stable")
    unknown = np.count_nonzero(times_s < 0)
    order[:unknown] = np.sort(order[:unknown])
    return order


@kernel
def _grouped(rows: IntArray, users: IntArray, offsets: IntArray) -> IntArray:
    """Return *rows* user by user, each user's in the order in which they come."""
    order = np.empty(rows.size, np.int64)
    place = offsets[:-1].copy()
    for row in rows:
        order[place[users[row]]] = row
        place[users[row]] += 1
    return order


@kernel
def oldest_first(times_s: IntArray) -> IntArray:
    """Return the order of one user's events, given in the order of the file; see ``by_user``."""
    rising = True
    for k in range(1, times_s.size):
        rising &= times_s[k] > times_s[k - 1]
    if rising:
        return np.arange(times_s.size)
    order = times_s.size - 1 - np.argsort(times_s[::-1], kind="mergesort")
    unknown = np.count_nonzero(times_s < 0)
    order[:unknown] = order[:unknown][::-1].copy()
    return order
