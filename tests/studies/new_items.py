"""Items that nobody has had yet, scored by their features: once for docs/cold-start.md.

`python -m tests.studies.new_items [--choose]`: rows for docs/figures/new-items.jsonl on standard
output. A tenth of the items of ml-100k are new: no event of theirs is in training, and the model
does not know their ids. FedMF learns from all others; ridge regression from genres to its vectors
places the new ones, and each user ranks all new items by its own vector. What the user has of them,
at any time, is what should come first. ``--choose`` tries the weight of the ridge on other seeds.

Beside it, what needs no model: the genres that the user has had most (the cosine of its counts and
the item's flags), and how often items of such genres are met (a ridge from genres to logarithms of
counts).
"""

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np

from droidloop.models.data.fields import movielens_fields
from droidloop.models.data.interactions import UserItems, union
from droidloop.models.data.split import Split
from droidloop.models.learning.new_items import vectors_by_features
from droidloop.platform.arrays import Array, BoolArray, FloatArray, IntArray
from droidloop.platform.draws import Draws
from tests.reference.interval import pooled
from tests.reference.movielens import folder, ml_100k
from tests.studies.cold_start import trained

REPORTED, CHOSEN_ON = (1, 2, 3), (11, 12)
NEW, TRIED, L2 = 0.1, (1.0, 10.0, 100.0, 1000.0), 100.0


def genres() -> FloatArray:
    """Return the 19 flags of each item of ml-100k, (items, 19)."""
    from droidloop.models.data.readers import load
    from tests.reference.movielens import implicit

    made = implicit(load(folder("ml-100k")))
    flags = movielens_fields(folder("ml-100k"), made.user_labels, made.item_labels).items
    assert flags is not None
    return np.asarray(flags, np.float64)


def without(split: Split, known: BoolArray) -> Split:
    """Return *split* of the *known* items alone, renumbered."""
    number = np.cumsum(known) - 1

    def of(rows: UserItems) -> UserItems:
        kept = rows.keep(known[rows.items])
        return replace(kept, items=number[kept.items])

    return Split(of(split.train), of(split.valid), of(split.test), int(known.sum()))


def auc(scores: FloatArray, had: BoolArray) -> float:
    """Return how likely an item that the user had is above one that it had not."""
    above = scores[had][:, None] - scores[~had][None, :]
    return float((above > 0).mean() + 0.5 * (above == 0).mean())


def ndcg(scores: FloatArray, had: BoolArray, k: int = 10) -> float:
    """Return the NDCG of the first *k* items."""
    first = had[np.argsort(-scores, kind="stable")[:k]]
    gains = 1 / np.log2(np.arange(2, k + 2))
    return float((first * gains).sum() / gains[: had.sum()].sum())


def content(split: Split, flags: FloatArray) -> FloatArray:
    """Return the cosine of how often each user had each genre and every item's flags."""
    had = np.stack([flags[split.train.of(user)].sum(axis=0) for user in range(split.n_users)])
    return np.asarray(_unit(had) @ _unit(flags).T)


def by_genre(counts: IntArray, flags: FloatArray, known: BoolArray, l2: float) -> FloatArray:
    """Return how often items of such genres are met, as logarithms."""
    found = vectors_by_features(np.log1p(counts)[:, None], flags, known, l2=l2)
    return np.asarray(found[:, 0])


def _unit(rows: Array) -> FloatArray:
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12))


def figures(seed: int, weights: tuple[float, ...]) -> dict[str, FloatArray]:
    """Return AUC and NDCG@10 by user of each way; NaN: the user has had no new item."""
    split, flags = ml_100k(), genres()
    draws = Draws(seed, "new items")
    known = np.ones(split.n_items, np.bool_)
    known[draws.choose(np.arange(split.n_items), round(NEW * split.n_items), 0)] = False
    old = without(split, known)
    _, server, store, _ = trained(old, seed, np.arange(split.n_users))
    users = np.asarray(store.gather(np.arange(split.n_users))["user"], np.float64)
    vectors = np.zeros((split.n_items, users.shape[1]))
    vectors[known] = server.params["item"].numpy()
    counts = np.bincount(split.train.items, minlength=split.n_items)
    chance = draws.child("chance").uniform(np.arange(split.n_users * split.n_items), 0)
    ways = {
        **{
            f"features, l2 = {l2:g}": users @ vectors_by_features(vectors, flags, known, l2=l2).T
            for l2 in weights
        },
        "own genres": content(old_of(split, known), flags),
        "popular genres": np.tile(by_genre(counts, flags, known, 10.0), (split.n_users, 1)),
        "chance": chance.reshape(split.n_users, -1),
    }
    ties = 1e-9 * ways["chance"]  # items of the same genres would come by their number
    everything = union(split.train, split.valid, split.test)
    new = np.flatnonzero(~known)
    found: dict[str, list[float]] = {
        f"{way}: {name}": [] for way in ways for name in ("auc", "ndcg_at_10")
    }
    for user in range(split.n_users):
        had = np.isin(new, everything.of(user))
        judged = had.any() and not had.all()
        for way, scores in ways.items():
            mine = scores[user, new] + ties[user, new]
            found[f"{way}: auc"].append(auc(mine, had) if judged else np.nan)
            found[f"{way}: ndcg_at_10"].append(ndcg(mine, had) if judged else np.nan)
    return {name: np.array(values) for name, values in found.items()}


def old_of(split: Split, known: BoolArray) -> Split:
    """Return *split* without events of new items, ids as they were."""
    return replace(split, train=split.train.keep(known[split.train.items]))


def main() -> None:
    """Print the rows."""
    choose = "--choose" in sys.argv[1:]
    seeds, weights = (CHOSEN_ON, TRIED) if choose else (REPORTED, (L2,))
    by_seed = [figures(seed, weights) for seed in seeds]
    for name in by_seed[0]:
        # other items are new in each seed, and not every user has had some of them
        values = np.array([one[name] for one in by_seed])
        row: dict[str, Any] = {
            "what": name,
            "seeds": list(seeds),
            "mean": float(np.nanmean(values)),
        }
        mine = f"features, l2 = {weights[0]:g}: {name.partition(': ')[2]}"
        if not choose and name != mine:
            more = [(one[mine] - one[name]).tolist() for one in by_seed]
            mean, low, high = pooled(more)
            row |= {"features_over_it": mean, "interval": [low, high]}
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
