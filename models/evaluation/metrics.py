"""Ranking metrics by user: HR@k, NDCG@k, Recall@k from ranks, and ranks from scores.

A rank counts from 1. An item of the same score as a held-out item is ahead of it, so that a
model that scores everything alike is not rewarded; with ``strict`` it is behind, which the
candidates of the NCF paper need, as some of them are the test item itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.law import kernel

Scores = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class UserMetrics:
    """Values of one or more metrics for each of *users*, e.g. ``values["hr_at_10"]``."""

    users: IntArray
    values: dict[str, FloatArray]

    def means(self) -> dict[str, float]:
        """Return the mean over users of each metric."""
        return {name: float(values.mean()) for name, values in self.values.items()}


def from_ranks(ranks: IntArray, offsets: IntArray, k: int) -> dict[str, FloatArray]:
    """Return ``hr_at_k``, ``ndcg_at_k`` and ``recall_at_k`` of each user.

    User *u* has the held-out items ``offsets[u]:offsets[u + 1]``, one at least, at different
    *ranks*. HR is 1 if one of them is among the best k, recall the share of them that is; NDCG is
    the sum of 1 / log2(rank + 1) over those, divided by its largest possible value (Järvelin and
    Kekäläinen 2002, binary relevance).

    >>> values = from_ranks(np.array([1, 3, 11]), np.array([0, 3]), 10)
    >>> [round(float(value[0]), 4) for value in values.values()]
    [1.0, 0.7039, 0.6667]
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    counts = np.diff(offsets)
    rows = np.repeat(np.arange(len(counts)), counts)
    inside = ranks <= k
    gains = np.where(inside, 1 / np.log2(ranks + 1.0), 0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(k) + 2.0))
    hits = np.bincount(rows, inside, len(counts))
    found = np.bincount(rows, gains, len(counts))
    return {
        f"hr_at_{k}": (hits > 0).astype(np.float64),
        f"ndcg_at_{k}": found / ideal[np.minimum(counts, k) - 1],
        f"recall_at_{k}": hits / counts,
    }


def full_ranks(
    scores: Scores,
    held: IntArray,
    held_offsets: IntArray,
    known: IntArray,
    known_offsets: IntArray,
    strict: bool = False,
) -> IntArray:
    """Return the rank of each held-out item among all items but the known ones.

    Row *r* of *scores*, shape (users, items), belongs to the user with the held-out items
    ``held[held_offsets[r]:held_offsets[r + 1]]``, each once, and the *known* items likewise. An
    item that is both is ranked. Held-out items of equal score follow their order.

    Raises:
        ValueError: a score is NaN.
    """
    _refuse_nan(scores)
    return _full(scores, held, held_offsets, known, known_offsets, strict)


def sampled_ranks(
    scores: Scores, n_held: IntArray, n_candidates: IntArray, strict: bool = False
) -> IntArray:
    """Return the rank of each held-out item among its user's candidates, row by row.

    A row of *scores* begins with the scores of its ``n_held`` held-out items, those of its
    ``n_candidates`` follow; what comes after is padding.

    Raises:
        ValueError: a score is NaN.
    """
    _refuse_nan(scores)
    return _sampled(scores, n_held, n_candidates, strict)


def _refuse_nan(scores: Scores) -> None:
    wrong = np.isnan(scores).any(axis=1)
    if wrong.any():
        raise ValueError(f"scores of row {int(np.argmax(wrong))} contain NaN; the model diverged")


@kernel
def _rank(own: Scores, k: int, rivals: Scores, strict: bool) -> int:
    """Return the rank of item k of *own* among *rivals* and the rest of *own*."""
    ahead = 0
    for score in rivals:
        ahead += score > own[k] or (score == own[k] and not strict)
    for other in range(own.size):
        ahead += own[other] > own[k] or (own[other] == own[k] and other < k)
    return ahead + 1


@kernel
def _full(
    scores: Scores,
    held: IntArray,
    held_offsets: IntArray,
    known: IntArray,
    known_offsets: IntArray,
    strict: bool,
) -> IntArray:
    ranks = np.empty(held.size, np.int64)
    owner = np.full(scores.shape[1], -1, np.int64)  # the last row that does not rank the item
    rivals = np.empty(scores.shape[1], scores.dtype)
    for row in range(scores.shape[0]):
        mine = held[held_offsets[row] : held_offsets[row + 1]]
        owner[known[known_offsets[row] : known_offsets[row + 1]]] = row
        owner[mine] = row
        count = 0
        for item in range(scores.shape[1]):
            if owner[item] != row:
                rivals[count] = scores[row, item]
                count += 1
        own = scores[row][mine]
        for k in range(mine.size):
            ranks[held_offsets[row] + k] = _rank(own, k, rivals[:count], strict)
    return ranks


@kernel
def _sampled(scores: Scores, n_held: IntArray, n_candidates: IntArray, strict: bool) -> IntArray:
    ranks = np.empty(n_held.sum(), np.int64)
    out = 0
    for row in range(scores.shape[0]):
        own = scores[row, : n_held[row]]
        rivals = scores[row, n_held[row] : n_held[row] + n_candidates[row]]
        for k in range(own.size):
            ranks[out] = _rank(own, k, rivals, strict)
            out += 1
    return ranks
