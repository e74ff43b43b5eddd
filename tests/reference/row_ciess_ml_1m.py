"""CIESS on ml-1m: sizes that an agent finds for each item, against one size for all.

Of 1,000 users, drawn by chance and the same in all seeds; all items are ranked, test items as in
the NCF paper. An agent searches sizes of 1 to 128 at two prices; those of the lower one are then
brought to a mean of 32 by one factor and trained from fresh values, beside 32 numbers for every
item. Step and weight of squares are those that were best of three for the latter, on validation
with seed 11.
"""

from typing import Any

from tests.reference.composed import judge, plain, reached
from tests.reference.movielens import ml_1m
from tests.reference.row import Line, Values, at_least

DATA, USERS, DIM, MEAN = "ml-1m", 1000, 128, 32
PRICES = (0.05, 1.0)
LR, L2, EPOCHS = 0.02, 0.0003, 8
_PLAY = "NCF's test rows, all items"
LINES = {
    "ciess-ml-1m": Line(f"{_PLAY}, mean size 32 of 128", "NDCG@5"),
    "ciess-uniform-ml-1m": Line(f"{_PLAY}, 32 for all", "NDCG@5"),
    "ciess-over-uniform-ml-1m": Line(
        f"{_PLAY}, same mean size",
        "NDCG@5 difference",
        at_least(0.0),
        because="the interval over 1,000 users reaches below 0",
    ),
    "ciess-size-low-price-ml-1m": Line(f"lambda {PRICES[0]}", "mean size"),
    "ciess-size-high-price-ml-1m": Line(f"lambda {PRICES[1]}", "mean size"),
    "ciess-sizes-fall-ml-1m": Line("lower lambda less higher", "mean size", at_least(0.0)),
    "ciess-hours-ml-1m": Line("one search", "hours of search"),
}


def measure(seed: int) -> Values:
    """Return the figures of one seed."""
    import time

    import numpy as np

    from droidloop.models.fitting.ciess import Episodes, search
    from droidloop.models.fitting.retrain import retrain
    from droidloop.models.fitting.torch_descent import implicit
    from droidloop.models.fitting.training import Training, Validate
    from droidloop.models.interfaces.learning import Recommender, init_all
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.dense import DenseTable
    from droidloop.platform.draws import Draws

    split, draws = ml_1m(USERS), Draws(seed, "ciess row")
    counts = {"item": np.bincount(split.train.items, minlength=split.n_items)}
    model = MF(split.n_items, DIM, "log", L2)
    first = init_all(model, draws.child("init"), split.n_users)
    feed = implicit(split.train, 2048, 4, split.n_items, draws)
    training, begun = Training(feed, draws, EPOCHS, LR), time.process_time()
    sizes = [
        search(model, first, counts, training, reached(split), Episodes(price, warm=2)).sizes[
            "item"
        ]
        for price in PRICES
    ]
    hours = (time.process_time() - begun) / 3600 / len(PRICES)
    low, high = 0.0, float(DIM)
    for _ in range(40):
        middle = (low + high) / 2
        mean = np.clip(np.floor(middle * sizes[0]), 1, DIM).mean()
        low, high = (middle, high) if mean <= MEAN else (low, middle)
    cut = np.clip(np.floor(low * sizes[0]), 1, DIM)
    there = {"item": np.arange(DIM) < cut[:, None]}
    valid, test = judge(split, seed), judge(split, seed, "test", 5)

    def judged(made: Recommender) -> Validate:
        [table] = made.tables.values()
        return lambda params: float(valid(table, params).mean())

    fitted = retrain(model, first, there, training, judged)
    [table] = fitted.model.tables.values()
    uniform = DenseTable(split.n_items, MEAN)
    alike = plain(split, seed, uniform, L2, EPOCHS, LR)
    found = [test(table, fitted.params), test(uniform, alike)]
    means = [float(one.mean()) for one in sizes]
    values: list[Any] = [*found, found[0] - found[1], *means, means[0] - means[1], hours]
    return dict(zip(LINES, values, strict=True))
