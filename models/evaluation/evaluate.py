"""Evaluate a model on held-out events: full or sampled ranking, in batches of bounded memory."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.data.split import Part, Split
from droidloop.models.interfaces.metrics import Listed, Metric, Ranked, Rated
from droidloop.models.metrics.hr import hit
from droidloop.models.metrics.ndcg import ndcg
from droidloop.models.metrics.recall import recall
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.errors import DataError
from droidloop.platform.messages import ragged

from .candidates import Candidates
from .metrics import Scores, UserMetrics, full_ranks, sampled_ranks, top_lists

FullScores = Callable[[IntArray], Scores]
"""Returns the scores of all items for *users*, shape (users, items)."""

CandidateScores = Callable[[IntArray, IntArray], Scores]
"""Returns the scores of *items*, shape (users, width), for the user of each row, likewise."""

BATCH_SCORES = 2**24
"""Scores in one batch, at most: 64 MiB of float32."""


@dataclass(frozen=True)
class Judged:
    """What a model did for each of *users*, as metrics ask for it; None: that was not asked."""

    users: IntArray
    ranked: Ranked | None = None
    rated: Rated | None = None
    listed: Listed | None = None

    def of(self, metric: Metric) -> Ranked | Rated | Listed | None:
        """Return what *metric* is a function of."""
        return {"ranks": self.ranked, "ratings": self.rated, "lists": self.listed}[metric.of]

    def take(self, chosen: BoolArray) -> "Judged":
        """Return the ranks of the users that are *chosen*, and nothing else."""
        assert self.ranked is not None
        rows = np.flatnonzero(chosen)
        where, offsets = ragged(self.ranked.offsets, rows)
        return Judged(self.users[rows], Ranked(self.ranked.ranks[where], offsets))


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
    """Return HR@k, NDCG@k and Recall@k of every user; the other arguments are those of ``judge``.

    Raises:
        ValueError: *k* is not positive; or as for ``judge``.
    """
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    judged = judge(score, split, candidates, part=part, strict=strict, batch=batch)
    functions = {"hr": hit, "ndcg": ndcg, "recall": recall}
    assert judged.ranked is not None
    values = {f"{name}_at_{k}": f(judged.ranked, k) for name, f in functions.items()}
    return UserMetrics(judged.users, values)


def judge(
    score: Callable[..., Scores],
    split: Split,
    candidates: Candidates | None = None,
    *,
    part: Part = "test",
    strict: bool = False,
    batch: int | None = None,
    depth: int = 0,
    rated: bool = False,
    returns: bool = False,
) -> Judged:
    """Return the ranks of the held-out events in *part* of every user that has some there.

    Without *candidates*, *score* gives the scores of all items, and those that the user is known
    to have (training; for test also validation) are left out of the ranking unless they are held
    out as well, or users come back to items (*returns*): then all are ranked. With *candidates* it
    gives the scores of the items that it is handed. Events of one item count once. Ties count
    against the held-out item unless *strict*. *batch* is the number of users in a batch; by
    default as many as keep within ``BATCH_SCORES``.

    Without *candidates* each user's *depth* best items are listed too; with them, and *rated*,
    the scores of held-out items (liked) and candidates (not) are kept.

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
    ranks, lists, ratings = [], [], []
    for start in range(0, len(users), size):
        now = users[start : start + size]
        mine = held.take(now)
        if candidates is None:
            known = union(*(each.take(now) for each in split.known(part)))
            if returns:
                known = known.keep(np.zeros(len(known.items), np.bool_))
            found, listed = _among_all(score, now, mine, known, split.n_items, strict, depth)
            lists.append(listed)
        else:
            found, some = _among_few(score, now, mine, rivals.take(now), strict, rated)
            ratings.append(some)
        ranks.append(found)
    mine = held.take(users)
    return Judged(
        users,
        Ranked(np.concatenate(ranks), mine.offsets),
        _rated(mine, rivals.take(users), np.concatenate(ratings)) if candidates and rated else None,
        Listed(users, np.concatenate(lists), split) if depth and candidates is None else None,
    )


def _rated(held: UserItems, rivals: UserItems, scores: Scores) -> Rated:
    """Return *scores*, of each user's held-out items and then of the rivals, with their labels."""
    labels = np.tile(np.array([1.0, 0.0]), len(held.counts))
    counts = np.column_stack([held.counts, rivals.counts]).ravel()
    return Rated(np.repeat(labels, counts), scores, held.offsets + rivals.offsets)


def on_candidates(score: FullScores) -> CandidateScores:
    """Return a scorer of candidates that computes the scores of all items and picks."""
    return lambda users, items: np.take_along_axis(score(users), items, axis=1)


def _among_all(
    score: FullScores,
    users: IntArray,
    held: UserItems,
    known: UserItems,
    n_items: int,
    strict: bool,
    depth: int,
) -> tuple[IntArray, IntArray]:
    """Return the ranks of held-out items, and the *depth* best items of each user."""
    scores = _shaped(score(users), (len(users), n_items))
    rows = (scores, held.items, held.offsets, known.items, known.offsets)
    ranks = full_ranks(*rows, strict)
    return ranks, top_lists(*rows, depth) if depth else np.empty((0, 0), np.int64)


def _among_few(
    score: CandidateScores,
    users: IntArray,
    held: UserItems,
    rivals: UserItems,
    strict: bool,
    rated: bool,
) -> tuple[IntArray, Scores]:
    """Rank held-out items among *rivals*; rows are padded with the user's first held-out item.

    The scores of held-out items and rivals, user by user, come with the ranks if they are *rated*.
    """
    lengths = held.counts + rivals.counts
    items = np.repeat(held.items[held.offsets[:-1]][:, None], lengths.max(), axis=1)
    for values, shift in ((held, np.zeros_like(lengths)), (rivals, held.counts)):
        rows = np.repeat(np.arange(len(users)), values.counts)
        place = np.arange(len(values.items)) - values.offsets[rows] + shift[rows]
        items[rows, place] = values.items
    scores = _shaped(score(users, items), items.shape)
    ranks = sampled_ranks(scores, held.counts, rivals.counts, strict)
    inside = np.arange(items.shape[1]) < lengths[:, None]
    return ranks, scores[inside] if rated else scores[:0, 0]


def _shaped(scores: Scores, shape: tuple[int, ...]) -> Scores:
    if scores.shape != shape:
        raise ValueError(f"scores have shape {scores.shape} where {shape} is needed")
    return np.ascontiguousarray(scores)
