"""Ranks from scores, and what metrics then say by user.

A rank counts from 1. An item of the same score as a held-out item is ahead of it, so that a
model that scores everything alike is not rewarded; with ``strict`` it is behind, which the
candidates of the NCF paper need, as some of them are the test item itself.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import DivergedError
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


def top_lists(
    scores: Scores,
    held: IntArray,
    held_offsets: IntArray,
    known: IntArray,
    known_offsets: IntArray,
    k: int,
) -> IntArray:
    """Return the *k* best items of each row (users, k), the best first; -1: there are no more.

    The arguments are those of ``full_ranks``, and the same items are left out. Of equal scores
    the lower item is first.
    """
    return _top(scores, held, held_offsets, known, known_offsets, k)


def _refuse_nan(scores: Scores) -> None:
    wrong = np.isnan(scores).any(axis=1)
    if wrong.any():
        raise DivergedError(
            f"scores of row {int(np.argmax(wrong))} contain NaN; the model diverged: "
            "lower training.learning_rate"
        )


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


@kernel
def _top(
    scores: Scores,
    held: IntArray,
    held_offsets: IntArray,
    known: IntArray,
    known_offsets: IntArray,
    k: int,
) -> IntArray:
    out = np.full((scores.shape[0], k), -1, np.int64)
    owner = np.full(scores.shape[1], -1, np.int64)  # the last row that does not list the item
    best = np.empty(k, scores.dtype)
    for row in range(scores.shape[0]):
        owner[known[known_offsets[row] : known_offsets[row + 1]]] = row
        owner[held[held_offsets[row] : held_offsets[row + 1]]] = -1
        count = 0
        for item in range(scores.shape[1]):
            score = scores[row, item]
            if owner[item] == row or (count == k and score <= best[k - 1]):
                continue
            place = min(count, k - 1)
            while place > 0 and best[place - 1] < score:
                best[place], out[row, place] = best[place - 1], out[row, place - 1]
                place -= 1
            best[place], out[row, place] = score, item
            count = min(count + 1, k)
    return out
