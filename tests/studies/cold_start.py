"""What a phone that has just come gets from a model that others have trained, by its events.

`python -m tests.studies.cold_start [--choose]`: rows for docs/figures/cold-start.jsonl on standard
output. A fifth of the users of ml-100k are new: nobody learned from them. With the first k of their
events by time, each fits its own vector to the model by the steps of the rule, as droidloop has
newcomers do, and the test item is ranked among 99 candidates. Popularity is that among the others.
``--choose`` tries how many passes they take, on validation items and other seeds.
"""

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Split
from droidloop.models.evaluation.candidates import exclusions
from droidloop.models.evaluation.evaluator import Evaluator, FunctionScorer, ModelScorer, Scorer
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import Fold, row_average
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.baselines import Popularity
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from tests.reference.federated import judge_of
from tests.reference.interval import pooled
from tests.reference.movielens import ml_100k

REPORTED, CHOSEN_ON = (1, 2, 3), (11, 12)
NEW, ROUNDS, CLIENTS, DIM, EPOCHS = 0.2, 100, 94, 32, 2
EVENTS = (1, 2, 3, 5, 10, 20)
TRIED, PASSES = (5, 20, 80), 20


def trained(split: Split, seed: int, others: IntArray) -> tuple[FedMF, Fold, PrivateStore, Draws]:
    """Return rule, server and phones after all rounds, in which *others* alone took part."""
    draws = Draws(seed, "cold start")
    model = MF(split.n_items, DIM)
    rule = FedMF(model, Sgd(epochs=EPOCHS), exclude=exclusions(split, "clean"))
    first = draws.child("init")
    server, store = row_average(model.init(first)), PrivateStore.of(model, first, split.n_users)
    for number in range(ROUNDS):
        asked = draws.child("who").choose(others, CLIENTS, number)
        [inbox] = server.broadcast(asked)
        cohort = Cohort(asked, number, store.gather(asked))
        sent = rule.step(cohort, inbox, split.train.take(asked), draws.child("training"))
        store.commit(asked, cohort.private)
        server.absorb(sent)
        server.close()
    return rule, server, store, draws


def first_events(rows: UserItems, many: int) -> UserItems:
    """Return the first *many* events of each user by time."""
    user = np.repeat(np.arange(rows.n_users), rows.counts)
    order = np.lexsort((rows.items, rows.times_s, user))
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order)) - np.repeat(rows.offsets[:-1], rows.counts)
    return rows.keep(place < many)


def fitted(
    rule: FedMF, server: Fold, draws: Draws, new: IntArray, data: UserItems, passes: int
) -> FloatArray:
    """Return the vectors that *new* phones fit to *data*."""
    model, rule = rule.recommender, replace(rule, exclude=None)  # nobody knows what it will have
    private = {
        name: value.numpy() for name, value in model.init_private(draws.child("init"), new).items()
    }
    [inbox] = server.broadcast(new)
    for number in range(passes):
        rule.step(Cohort(new, number, private), inbox, data, draws.child("newcomers"))
    return np.asarray(private["user"])


def hits(judge: Evaluator, scorer: Scorer, new: IntArray, part: Any) -> FloatArray:
    """Return HR@10 of each of *new*."""
    found = judge.of(new, part).by_user(scorer, part)
    assert found is not None
    return np.asarray(found[1])


def figures(seed: int, passes: tuple[int, ...], part: Any) -> list[dict[str, Any]]:
    """Return a row for each number of events and of passes: HR@10 by user."""
    split, judge = ml_100k(), judge_of(ml_100k(), seed)
    everybody = np.arange(split.n_users)
    new = Draws(seed, "new").choose(everybody, round(NEW * split.n_users), 0)
    others = np.setdiff1d(everybody, new)
    rule, server, _, draws = trained(split, seed, others)
    popular = FunctionScorer(Popularity(_without(split.train, new), split.n_items).scores)
    shown = hits(judge, popular, new, part)
    rows = []
    for events in EVENTS:
        data = first_events(split.train.take(new), events)
        for many in passes:
            users = np.zeros((split.n_users, DIM), np.float32)
            users[new] = fitted(rule, server, draws, new, data, many)
            scorer = ModelScorer(
                rule.recommender, {**server.params, "user": torch.from_numpy(users)}
            )
            own = hits(judge, scorer, new, part)
            rows.append({"events": events, "passes": many, "own": own, "popularity": shown})
    return rows


def _without(rows: UserItems, users: IntArray) -> UserItems:
    mine = np.isin(np.repeat(np.arange(rows.n_users), rows.counts), users)
    return rows.keep(~mine)


def main() -> None:
    """Print the rows."""
    choose = "--choose" in sys.argv[1:]
    seeds, passes = (CHOSEN_ON, TRIED) if choose else (REPORTED, (PASSES,))
    by_seed = [figures(seed, passes, "valid" if choose else "test") for seed in seeds]
    for rows in zip(*by_seed, strict=True):
        own, popularity = (
            np.concatenate([one[name] for one in rows]) for name in ("own", "popularity")
        )
        # other users are new in each seed, so that all are values of their own
        mean, low, high = pooled([own - popularity])
        print(
            json.dumps(
                {
                    "events": rows[0]["events"],
                    "passes": rows[0]["passes"],
                    "seeds": list(seeds),
                    "part": "valid" if choose else "test",
                    "users": len(own),
                    "hr_at_10": float(own.mean()),
                    "popularity": float(popularity.mean()),
                    "less_popularity": mean,
                    "interval": [low, high],
                }
            )
        )


if __name__ == "__main__":
    main()
