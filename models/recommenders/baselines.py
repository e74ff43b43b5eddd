"""Baselines without learning: popularity, and item-based nearest neighbours."""

from typing import final

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.evaluation.metrics import Scores
from droidloop.platform.arrays import IntArray
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
        voters, weights = _neighbours(
            self.histories.items, self.histories.offsets, users, starts, k, shrink
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
    items: IntArray, offsets: IntArray, users: IntArray, starts: IntArray, k: int, shrink: float
) -> tuple[IntArray, Scores]:
    """Return the k most similar items of each item, -1 where there are fewer, and how similar."""
    n_items = starts.size - 1
    nearest = np.full((n_items, k), -1, np.int64)
    similarity = np.zeros((n_items, k), np.float32)
    together = np.zeros(n_items, np.int64)
    for item in range(n_items):
        together[:] = 0
        for user in users[starts[item] : starts[item + 1]]:
            for other in items[offsets[user] : offsets[user + 1]]:
                together[other] += 1
        own = together[item]
        together[item] = 0
        others = np.flatnonzero(together)
        cosine = np.empty(others.size, np.float64)
        for n in range(others.size):
            count = starts[others[n] + 1] - starts[others[n]]
            cosine[n] = together[others[n]] / (np.sqrt(float(own * count)) + shrink)
        best = np.argsort(-cosine, kind="mergesort")[:k]
        nearest[item, : best.size] = others[best]
        similarity[item, : best.size] = cosine[best]
    return nearest, similarity


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
