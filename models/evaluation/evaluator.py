"""Quality, per user: the trained model, its exported variants, and the baselines beside it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch

from droidloop.models.data.interactions import union
from droidloop.models.data.split import Part, Split
from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.models.interfaces.metrics import Metric
from droidloop.models.metrics.hr import hit
from droidloop.platform.arrays import Array, BoolArray, IntArray

from .candidates import Candidates
from .evaluate import Judged, judge
from .metrics import Scores, UserMetrics
from .overlap import overlap_by_user

_BATCH = 256


class Scorer(Protocol):
    """Scores for ranking: of all items, or of some."""

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items, shape (users, items)."""
        ...

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*, shape (users, width), for the user of each row."""
        ...


@dataclass(frozen=True)
class ModelScorer:
    """Scores by a recommender and its parameters."""

    recommender: Recommender
    params: Params

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items; see ``Scorer``."""
        [table] = self.recommender.tables.values()
        items = np.arange(table.n)[None, :]
        parts = [
            self.some(users[start : start + _BATCH], items)
            for start in range(0, len(users), _BATCH)
        ]
        return np.concatenate(parts)

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*; see ``Scorer``."""
        with torch.no_grad():
            scores = self.recommender.score(
                self.params, torch.from_numpy(users[:, None]), torch.from_numpy(items)
            )
        return np.asarray(scores.numpy(), np.float32)


@dataclass(frozen=True)
class OwnTablesScorer:
    """Scores each user with a vector and an item table of the user's own.

    Attributes:
        users: (users, dim).
        tables: (users, n_items, dim).
    """

    users: Array
    tables: Array

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items; see ``Scorer``."""
        scores = [(self.tables[user] * self.users[user]).sum(-1) for user in users]
        return np.stack(scores) if scores else np.empty((0, self.tables.shape[1]), np.float32)

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*; see ``Scorer``."""
        vectors = self.tables[users[:, None], items]
        return np.asarray((vectors * self.users[users][:, None]).sum(-1))


@dataclass(frozen=True)
class TableScorer:
    """Scores that are all there: one row a user."""

    values: Scores

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items; see ``Scorer``."""
        return np.asarray(self.values[users])

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*; see ``Scorer``."""
        return np.asarray(self.values[users[:, None], items])


@dataclass(frozen=True)
class InsteadScorer:
    """Scores by *scorer*, but those of the users whom *instead* (users,) marks by *other*."""

    scorer: Scorer
    other: Scorer
    instead: BoolArray

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items; see ``Scorer``."""
        scores, mine = np.array(self.scorer.every(users)), self.instead[users]
        scores[mine] = self.other.every(users[mine])
        return scores

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*; see ``Scorer``."""
        mine = self.instead[users]
        scores = np.array(self.scorer.some(users, items))
        scores[mine] = self.other.some(users[mine], np.broadcast_to(items, scores.shape)[mine])
        return scores


@dataclass(frozen=True)
class FunctionScorer:
    """Scores by a function that gives those of all items, as the baselines do."""

    function: Callable[[IntArray], Scores]

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items; see ``Scorer``."""
        return self.function(users)

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*; see ``Scorer``."""
        return np.take_along_axis(self.function(users), items, axis=1)


@dataclass(frozen=True)
class PartScorer:
    """Scores that depend on the moment of the question: when it is, and what is known by then.

    Attributes:
        of: makes the scorer that answers for the validation or the test part.
    """

    of: Callable[[Part], Scorer]

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items for the test part; see ``Scorer``."""
        return self.of("test").every(users)

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items* for the test part; see ``Scorer``."""
        return self.of("test").some(users, items)


@dataclass(frozen=True)
class Evaluator:
    """Measures what models do for the held-out items of every user.

    Users come back to places. There (*returns*) what a user had is ranked too, among all items and
    beside the candidates, and returns and first visits are told apart as well.

    Attributes:
        split: who had what.
        candidates: the rivals of sampled rankings.
        k: how many items a list has.
        metrics: what is measured.
        by: the metric by which rounds and epochs are chosen; None: HR@k.
        returns: whether users come back to items.
    """

    split: Split
    candidates: Candidates
    k: int
    metrics: Sequence[Metric] = ()
    by: Metric | None = None
    returns: bool = False

    @property
    def yardstick(self) -> Metric:
        """The metric by which rounds and epochs are chosen."""
        return self.by or Metric("hr", "HR", "ranks", hit).at(self.k)

    def of(self, users: IntArray, part: Part) -> "Evaluator":
        """Return the evaluator that judges by the *part* of *users* alone."""
        return replace(self, split=self.split.only(users, part))

    def quality(self, scorer: Scorer, part: Part) -> float:
        """Return what the yardstick says of *scorer*, among candidates unless it is of lists."""
        return self.qualities(scorer, part, [self.yardstick])[self.yardstick.name]

    def qualities(
        self, scorer: Scorer, part: Part, metrics: Sequence[Metric] | None = None
    ) -> dict[str, float]:
        """Return the means of *metrics*; of the yardstick and of all that need no list, if None."""
        if metrics is None:
            quick = {one.name: one for one in self.metrics if one.of != "lists"}
            metrics = list((quick | {self.yardstick.name: self.yardstick}).values())
        judged: dict[bool, Judged] = {}
        means = {}
        for metric in metrics:
            among_all = metric.of == "lists"
            if among_all not in judged:
                judged[among_all] = self._judged(scorer, part, among_all=among_all)
            means[metric.name] = _mean(metric, judged[among_all])
        return means

    def judged(self, scorer: Scorer, users: IntArray | None = None) -> dict[str, Judged]:
        """Return what *scorer* does on the test part, by ranking.

        For those of *users* that have test events, or for all.
        ``sampled`` and ``full``. Where users come back, also what the latter is made of, the
        rankings of ``returns`` and of ``first`` visits among all items; and ``new``, that of first
        visits among items that the user never had, as in a list of new ones.
        """
        rankings = {"sampled": False, "full": True}
        asked = self if users is None else self.of(users, "test")
        found = {n: asked._judged(scorer, "test", among_all=a) for n, a in rankings.items()}
        if not self.returns:
            return found
        back = _had_all(self.split, found["full"].users)
        parts = {"returns": (found["full"], back), "first": (found["full"], ~back)}
        if not back.all():
            among_new = judge(_at(scorer, "test").every, asked.split)
            parts["new"] = among_new, ~back
        return found | {n: one.take(mine) for n, (one, mine) in parts.items() if mine.any()}

    def by_user(self, scorer: Scorer, part: Part) -> tuple[IntArray, Array] | None:
        """Return users and what the yardstick says of each; None where it is one value for all."""
        metric = self.yardstick
        if metric.whole:
            return None
        judged = self._judged(scorer, part, among_all=metric.of == "lists")
        return judged.users, np.asarray(metric.value(judged.of(metric)), np.float64)

    def _judged(self, scorer: Scorer, part: Part, *, among_all: bool) -> Judged:
        scorer = _at(scorer, part)
        if among_all:
            depth = max([self.k, *(metric.depth for metric in (*self.metrics, self.yardstick))])
            return judge(scorer.every, self.split, part=part, depth=depth, returns=self.returns)
        rated = any(metric.of == "ratings" for metric in (*self.metrics, self.yardstick))
        return judge(scorer.some, self.split, self.candidates, part=part, rated=rated)

    def overlap(self, one: Scorer, other: Scorer) -> UserMetrics:
        """Return for each user the share of items that the top k of two scorers have in common.

        Items of the training part are left out of both lists, unless users come back to them: a
        phone does not show them.
        """
        users = np.flatnonzero(self.split.test.counts)
        shares = np.empty(len(users))
        for start in range(0, len(users), _BATCH):
            now = users[start : start + _BATCH]
            known = self.split.train.take(now)
            seen = np.zeros((len(now), self.split.n_items), bool)
            if not self.returns:
                seen[np.repeat(np.arange(len(now)), known.counts), known.items] = True
            shares[start : start + _BATCH] = overlap_by_user(
                one.every(now), other.every(now), self.k, seen
            )
        return UserMetrics(users, {f"top{self.k}_overlap": shares})


def _at(scorer: Scorer, part: Part) -> Scorer:
    """Return what answers for *part*."""
    return scorer.of(part) if isinstance(scorer, PartScorer) else scorer


def _had_all(split: Split, users: IntArray) -> BoolArray:
    """Return which of *users* had each of their test items before."""
    known = union(*split.known("test"))
    return np.array([np.isin(split.test.of(u), known.of(u)).all() for u in users], np.bool_)


def _mean(metric: Metric, judged: Judged) -> float:
    shown = judged.of(metric)
    assert shown is not None
    return metric.mean(shown)
