"""Evaluate a model on held-out events: full or sampled ranking, in batches of bounded memory."""

from collections.abc import Callable
from typing import overload

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.data.split import Part, Split
from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import DataError

from .candidates import Candidates
from .metrics import Scores, UserMetrics, from_ranks, full_ranks, sampled_ranks

FullScores = Callable[[IntArray], Scores]
"""Returns the scores of all items for *users*, shape (users, items)."""

CandidateScores = Callable[[IntArray, IntArray], Scores]
"""Returns the scores of *items*, shape (users, width), for the user of each row, likewise."""

BATCH_SCORES = 2**24
"""Scores in one batch, at most: 64 MiB of float32."""


@overload
def evaluate(
    score: FullScores,
    split: Split,
    candidates: None = None,
    k: int = 10,
    *,
    part: Part = "test",
    strict: bool = False,
    batch: int | None = None,
) -> UserMetrics: ...


@overload
def evaluate(
    score: CandidateScores,
    split: Split,
    candidates: Candidates,
    k: int = 10,
    *,
    part: Part = "test",
    strict: bool = False,
    batch: int | None = None,
) -> UserMetrics: ...


def evaluate(
    score: Callable[..., Scores],
    split: Split,
    candidates: Candidates | None = None,
    k: int = 10,
    *,
    part: Part = "test",
    strict: bool = False,
    batch: int | None = None,
) -> UserMetrics:
    """Return HR@k, NDCG@k and Recall@k of every user with held-out events in *part*.

    Without *candidates*, *score* gives the scores of all items, and those that the user is known
    to have (training; for test also validation) are left out of the ranking unless they are held
    out as well. With *candidates* it gives the scores of the items that it is handed. Events of
    one item count once. Ties count against the held-out item unless *strict*. *batch* is the
    number of users in a batch; by default as many as keep within ``BATCH_SCORES``.

    Raises:
        DataError: no user has a held-out event in *part*.
        ValueError: a score is NaN, or there is not one for each user and item.
    """
    held = union(split.held_out(part))
    users = np.flatnonzero(held.counts)
    if users.size == 0:
        raise DataError(f"no user has an event in the {part} part; use users with more events")
    if candidates is None:
        size = batch or max(1, BATCH_SCORES // split.n_items)
    else:
        rivals = candidates.of(part)
        width = int((held.counts + rivals.counts)[users].max())
        size = batch or max(1, BATCH_SCORES // width)
    values = []
    for start in range(0, len(users), size):
        now = users[start : start + size]
        mine = held.take(now)
        if candidates is None:
            ranks = _among_all(score, now, mine, split, part, strict)
        else:
            ranks = _among_few(score, now, mine, rivals.take(now), strict)
        values.append(from_ranks(ranks, mine.offsets, k))
    return UserMetrics(users, {n: np.concatenate([v[n] for v in values]) for n in values[0]})


def on_candidates(score: FullScores) -> CandidateScores:
    """Return a scorer of candidates that computes the scores of all items and picks."""
    return lambda users, items: np.take_along_axis(score(users), items, axis=1)


def _among_all(
    score: FullScores, users: IntArray, held: UserItems, split: Split, part: Part, strict: bool
) -> IntArray:
    scores = _shaped(score(users), (len(users), split.n_items))
    known = union(*(known.take(users) for known in split.known(part)))
    return full_ranks(scores, held.items, held.offsets, known.items, known.offsets, strict)


def _among_few(
    score: CandidateScores, users: IntArray, held: UserItems, rivals: UserItems, strict: bool
) -> IntArray:
    """Rank held-out items among *rivals*; rows are padded with the user's first held-out item."""
    lengths = held.counts + rivals.counts
    items = np.repeat(held.items[held.offsets[:-1]][:, None], lengths.max(), axis=1)
    for values, shift in ((held, np.zeros_like(lengths)), (rivals, held.counts)):
        rows = np.repeat(np.arange(len(users)), values.counts)
        place = np.arange(len(values.items)) - values.offsets[rows] + shift[rows]
        items[rows, place] = values.items
    scores = _shaped(score(users, items), items.shape)
    return sampled_ranks(scores, held.counts, rivals.counts, strict)


def _shaped(scores: Scores, shape: tuple[int, ...]) -> Scores:
    if scores.shape != shape:
        raise ValueError(f"scores have shape {scores.shape} where {shape} is needed")
    return np.ascontiguousarray(scores)
