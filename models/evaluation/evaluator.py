"""Quality, per user: the trained model, its exported variants, and the baselines beside it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from droidloop.models.data.split import Part, Split
from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.ledger import METRIC_DTYPE, Rows

from .candidates import Candidates
from .evaluate import evaluate
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
class Evaluator:
    """Ranks the held-out items of every user, among candidates and among all items."""

    split: Split
    candidates: Candidates
    k: int

    def hit_rate(self, scorer: Scorer, part: Part) -> float:
        """Return the mean HR@k among candidates."""
        values = evaluate(scorer.some, self.split, self.candidates, self.k, part=part)
        return float(values.values[f"hr_at_{self.k}"].mean())

    def rows(self, scorer: Scorer, model: str, *, t_us: int, round_: int) -> Rows:
        """Return the metrics of *model* on the test part, one row a user, ranking and metric."""
        sampled = evaluate(scorer.some, self.split, self.candidates, self.k, part="test")
        full = evaluate(scorer.every, self.split, k=self.k, part="test")
        return np.concatenate(
            [
                metric_rows(values, model, ranking, t_us=t_us, round_=round_)
                for ranking, values in (("sampled", sampled), ("full", full))
            ]
        )

    def overlap_rows(
        self, one: Scorer, other: Scorer, model: str, *, t_us: int, round_: int
    ) -> Rows:
        """Return for each user the share of items that the top k of two scorers have in common.

        Items of the training part are left out of both lists: a phone does not show them.
        """
        users = np.flatnonzero(self.split.test.counts)
        shares = np.empty(len(users))
        for start in range(0, len(users), _BATCH):
            now = users[start : start + _BATCH]
            known = self.split.train.take(now)
            seen = np.zeros((len(now), self.split.n_items), bool)
            seen[np.repeat(np.arange(len(now)), known.counts), known.items] = True
            shares[start : start + _BATCH] = overlap_by_user(
                one.every(now), other.every(now), self.k, seen
            )
        values = UserMetrics(users, {f"top{self.k}_overlap": shares})
        return metric_rows(values, model, "sampled", t_us=t_us, round_=round_)


def metric_rows(
    metrics: UserMetrics,
    model: str,
    ranking: str,
    *,
    t_us: int,
    round_: int,
    part: Part = "test",
) -> Rows:
    """Return *metrics* as rows of the ledger; a user's row number is that of the phone."""
    parts = []
    for name, values in metrics.values.items():
        rows = np.zeros(len(metrics.users), METRIC_DTYPE)
        rows["t_us"], rows["round"], rows["phone"] = t_us, round_, metrics.users
        rows["model"], rows["ranking"], rows["part"], rows["name"] = model, ranking, part, name
        rows["value"] = values
        parts.append(rows)
    return np.concatenate(parts)
