"""Baselines without learning: popularity, and item-based nearest neighbours."""

from typing import final

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.evaluation.metrics import Scores
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.law import kernel


@final
class Popularity:
    """Score an item by the number of its training events, the same for all users."""

    def __init__(self, train: UserItems, n_items: int) -> None:
        self.counts = np.bincount(train.items, minlength=n_items)

    def scores(self, users: IntArray) -> Scores:
        """Return the counts as float32, shape (users, items); exact below 2**24 events."""
        row = self.counts.astype(np.float32)
        return np.broadcast_to(row, (len(users), len(row)))


@final
class ItemKNN:
    """Score an item by its similarity to what the user has (Deshpande and Karypis 2004).

    The similarity of items i and j that n_i, n_j and together n_ij users have is
    n_ij / (sqrt(n_i * n_j) + shrink); only the *k* items most similar to i count for i, ties by
    item number.
    """

    def __init__(self, train: UserItems, n_items: int, k: int = 50, shrink: float = 10.0) -> None:
        if k < 1 or shrink < 0:
            raise ValueError(f"k must be at least 1 and shrink 0 or more, not {k} and {shrink}")
        self.n_items = n_items
        self.histories = union(train)
        users, starts = _owners(self.histories, n_items)
        voters = np.full((n_items, k), -1)
        weights = np.zeros((n_items, k), np.float32)
        _neighbours(
            self.histories.items, self.histories.offsets, users, starts, shrink, voters, weights
        )
        # What an item of a history votes for: the table of neighbours, turned round.
        targets, places = np.nonzero(voters >= 0)
        voters, weights = voters[targets, places], weights[targets, places]
        order = np.argsort(voters, kind="stable")
        self._targets, self._weights = targets[order], weights[order]
        self._offsets = np.searchsorted(voters[order], np.arange(n_items + 1))

    def scores(self, users: IntArray) -> Scores:
        """Return the sums of similarities as float32, shape (users, items)."""
        mine = self.histories.take(users)
        out = np.zeros((len(users), self.n_items), np.float32)
        _vote(mine.items, mine.offsets, self._targets, self._weights, self._offsets, out)
        return out


def _owners(histories: UserItems, n_items: int) -> tuple[IntArray, IntArray]:
    """Return the users of each item, ragged."""
    users = np.repeat(np.arange(histories.n_users), histories.counts)
    order = np.argsort(histories.items, kind="stable")
    return users[order], np.searchsorted(histories.items[order], np.arange(n_items + 1))


@kernel
def _neighbours(
    items: IntArray,
    offsets: IntArray,
    users: IntArray,
    starts: IntArray,
    shrink: float,
    nearest: IntArray,
    similarity: Scores,
) -> None:
    """Fill each row with the most similar items of an item, the nearest first, and how similar."""
    n_items, k = nearest.shape
    together = np.zeros(n_items, np.int64)
    best = np.empty(k, np.float64)
    for item in range(n_items):
        together[:] = 0
        for user in users[starts[item] : starts[item + 1]]:
            for other in items[offsets[user] : offsets[user + 1]]:
                together[other] += 1
        own, found = together[item], 0
        together[item] = 0
        for other in range(n_items):
            if together[other] > 0:
                count = starts[other + 1] - starts[other]
                cosine = together[other] / (np.sqrt(float(own * count)) + shrink)
                found = _insert(other, cosine, found, nearest[item], best)
        for n in range(found):
            similarity[item, n] = best[n]


@kernel
def _insert(item: int, value: float, found: int, items: IntArray, values: FloatArray) -> int:
    """Put *item* where its value stands among the *found*, and return how many there are then.

    Among equal values the earlier stays before; one below all is left out where there is no room.
    """
    if found == values.size and value <= values[found - 1]:
        return found
    place = min(found, values.size - 1)
    while place > 0 and values[place - 1] < value:
        items[place], values[place] = items[place - 1], values[place - 1]
        place -= 1
    items[place], values[place] = item, value
    return min(found + 1, values.size)


@kernel
def _vote(
    items: IntArray,
    offsets: IntArray,
    targets: IntArray,
    weights: Scores,
    starts: IntArray,
    out: Scores,
) -> None:
    for row in range(out.shape[0]):
        for item in items[offsets[row] : offsets[row + 1]]:
            for n in range(starts[item], starts[item + 1]):
                out[row, targets[n]] += weights[n]
