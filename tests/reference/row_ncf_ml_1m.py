"""NeuMF on ml-1m with 8 factors, trained in one place, the protocol of He et al. (WWW 2017).

Test is the paper's own file: each user's latest event among the paper's 99 negatives, of which
some hold the test item itself, so ties count for it. Everything else is trained on; the last
epoch counts. NeuMF must not fall behind the better of its halves by more than 0.01.
"""

import gzip
from typing import TYPE_CHECKING

from tests.reference.movielens import folder
from tests.reference.row import Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.evaluation.candidates import Candidates

DATA = "ml-1m"
SEEDS = (1,)
PROTOCOL = "NCF: 99 given negatives"
LINES = {
    "neumf-ml-1m": Line(PROTOCOL, "HR@10", at_least(0.65)),
    "neumf-ml-1m-ndcg": Line(PROTOCOL, "NDCG@10"),
    "neumf-ml-1m-lead": Line(PROTOCOL, "HR@10 less its better half's", at_least(-0.01)),
    "gmf-ml-1m": Line(PROTOCOL, "HR@10"),
    "mlp-ml-1m": Line(PROTOCOL, "HR@10"),
}
SHAPES: dict[str, tuple[int, int, tuple[int, ...]]] = {
    "neumf": (8, 16, (16, 8)),
    "gmf": (8, 0, ()),
    "mlp": (0, 16, (16, 8)),
}
EPOCHS, LEARNING_RATE, BATCH, NEGATIVES = 12, 0.002, 1024, 4


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.fitting.fit import Hyperparameters, fit, scorer
    from droidloop.models.interfaces.learning import init_all
    from droidloop.models.recommenders.neumf import NeuMF
    from droidloop.platform.draws import Draws

    split, candidates = ncf_ml_1m()
    draws, values = Draws(seed, "reference"), {}
    for name, shape in SHAPES.items():
        model = NeuMF(split.n_items, *shape)
        params = fit(
            *(model, init_all(model, draws, split.n_users), split.train),
            Hyperparameters(epochs=EPOCHS, lr=LEARNING_RATE, batch=BATCH, negatives=NEGATIVES),
            n_items=split.n_items,
            draws=draws,
        )
        score = scorer(model, params, split.n_items)
        means = evaluate(score, split, candidates, strict=True).means()
        values[f"{name}-ml-1m"] = means["hr_at_10"]
        if name == "neumf":
            values["neumf-ml-1m-ndcg"] = means["ndcg_at_10"]
    better = max(values["gmf-ml-1m"], values["mlp-ml-1m"])
    return values | {"neumf-ml-1m-lead": values["neumf-ml-1m"] - better}


def ncf_ml_1m() -> "tuple[Split, Candidates]":
    """Return the paper's split and its negatives, by the numbers of our reader."""
    import numpy as np

    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.readers import Columns, load, load_flags
    from droidloop.models.data.split import leave_one_out
    from droidloop.models.evaluation.candidates import Candidates

    place = folder("ml-1m")
    file = place / "interactions.parquet"
    every = load(file, columns=Columns("user", "item", None, "timestamp"))
    split = leave_one_out(every, load_flags(file, "loo_test"), validate=False)
    users = {int(label): row for row, label in enumerate(every.user_labels)}
    items = {int(label): row for row, label in enumerate(every.item_labels)}
    pairs = np.loadtxt(place / "ncf-item-map.csv", dtype=int, delimiter=",", skiprows=1).tolist()
    number = {theirs: items[label] for theirs, label in pairs}
    given: dict[int, list[int]] = {}
    with gzip.open(place / "ncf-ml-1m.test.negative.gz", "rt") as lines:
        for line in lines:
            head, *negatives = line.split()
            user = users[int(head.strip("()").split(",")[0]) + 1]
            given[user] = [number[int(negative)] for negative in negatives]
    counts = np.array([len(given[user]) for user in range(split.n_users)])
    rivals = UserItems.bare(
        np.concatenate([given[user] for user in range(split.n_users)]),
        np.concatenate([[0], np.cumsum(counts)]),
    )
    return split, Candidates(rivals, rivals)
