"""What a run has kept for further questions: its split, and what each model did for each user."""

from typing import Any

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Part, Split
from droidloop.models.evaluation.evaluate import Judged
from droidloop.models.interfaces.metrics import Listed, Ranked
from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import UsageError
from droidloop.platform.ledger import Rows, read
from droidloop.platform.rundir import RunDirectory


def kept_split(run: RunDirectory) -> Split:
    """Return the split of *run*; of one user's events at one second the lower item is first.

    Raises:
        UsageError: an older droidloop wrote *run*, and kept no split.
    """
    manifest, rows = run.manifest(), read(run.path, "split")
    if "users" not in manifest:
        raise UsageError(f"{run.path}: this run kept no split; run it again")
    with run.understood():
        return _split_of(manifest, rows)


def _split_of(manifest: dict[str, Any], rows: Rows) -> Split:
    parts = []
    for number in range(3):
        mine = rows[rows["part"] == number]
        counts = np.bincount(mine["phone"], minlength=manifest["users"])
        items, times_s = mine["item"].astype(np.int64), mine["time_s"]
        parts.append(UserItems(items, _offsets(counts), times_s, np.ones(len(mine))))
    train, valid, test = parts
    return Split(train, valid, test, manifest["items"])


def kept(run: RunDirectory, model: str, ranking: str, part: Part = "test") -> Judged:
    """Return what *model* did by *ranking* (sampled or full); lists are there of full ones.

    With it any metric of ranks or of lists can be computed after the run; scores are not kept.

    Raises:
        UsageError: *run* kept none of that.
    """
    ranks = read(run.path, "ranks")
    where = {"model": model, "ranking": ranking, "part": part}
    for column, word in where.items():
        ranks = ranks[ranks[column] == word.encode()]
    if not len(ranks):
        raise UsageError(f"{run.path}: kept no ranks of {model} ({ranking}, {part})")
    users, counts = np.unique(ranks["phone"].astype(np.int64), return_counts=True)
    ranked = Ranked(ranks["rank"].astype(np.int64), _offsets(counts))
    lists = read(run.path, "lists")
    lists = lists[lists["model"] == model.encode()]
    if ranking != "full" or not len(lists):
        return Judged(users, ranked)
    items = np.full((len(users), lists["place"].max()), -1)
    items[np.searchsorted(users, lists["phone"]), lists["place"] - 1] = lists["item"]
    return Judged(users, ranked, listed=Listed(users, items, kept_split(run)))


def _offsets(counts: IntArray) -> IntArray:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
