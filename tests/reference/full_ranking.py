"""The protocol of RecBole's benchmark: random 8:1:1 of each user's events, all items ranked.

Zhao et al., RecBole (CIKM 2021). One uniform negative for each positive, drawn anew in every epoch
from what the user has not in training; Adam; training stops when validation NDCG@10 has not grown
for some epochs, and the best epoch is tested. Ranked is what is neither in training nor, for the
test, in validation.
"""

from typing import TYPE_CHECKING

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from droidloop.models.data.interactions import Interactions
    from droidloop.models.data.split import Part, Split
    from droidloop.models.evaluation.metrics import Scores
    from droidloop.models.interfaces.learning import Params
    from droidloop.models.recommenders.lightgcn import LightGCN
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.arrays import IntArray

EPOCHS = 300
SD = 0.02
"""Of the first vectors: about what Xavier's rule gives these tables."""


def liked_ml_1m() -> "Interactions":
    """Return the events of ml-1m with a rating of 3 or more."""
    from droidloop.models.data.readers import Columns, load, load_flags

    file = folder("ml-1m") / "interactions.parquet"
    every = load(file, columns=Columns("user", "item", None, "timestamp"))
    return every.keep(load_flags(file, "ge3"))


def split_of(interactions: "Interactions", seed: int) -> "Split":
    """Return the split of *seed*."""
    from droidloop.models.data.split import ratio
    from droidloop.platform.draws import Draws

    return ratio(interactions, Draws(seed, "split"))


def figures(
    score: "Callable[[IntArray], Scores]", split: "Split", part: "Part"
) -> dict[str, float]:
    """Return HR@10, NDCG@10 and Recall@10 of the scores of all items."""
    from droidloop.models.evaluation.evaluate import evaluate

    means = evaluate(score, split, part=part).means()
    names = {"hr_at_10": "HR@10", "ndcg_at_10": "NDCG@10", "recall_at_10": "Recall@10"}
    return {shown: means[name] for name, shown in names.items()}


def train(
    model: "MF | LightGCN",
    split: "Split",
    seed: int,
    *,
    lr: float,
    batch: int,
    patience: int,
    decay: float = 1.0,
) -> dict[str, float]:
    """Train *model* centrally; return the test figures of its best epoch.

    After each epoch the step *lr* is multiplied by *decay*.
    """
    from droidloop.models.fitting.fit import Hyperparameters, fit
    from droidloop.models.interfaces.learning import init_all
    from droidloop.platform.draws import Draws

    draws = Draws(seed, "full ranking")

    def measure(params: "Params", part: "Part") -> dict[str, float]:
        user, item = _vectors(model, params)
        return figures(lambda users: user[users] @ item.T, split, part)

    params = fit(
        model,
        init_all(model, draws.child("init"), split.n_users),
        split.train,
        Hyperparameters(
            epochs=EPOCHS, lr=lr, batch=batch, negatives=1, patience=patience, decay=decay
        ),
        n_items=split.n_items,
        draws=draws.child("training"),
        validate=lambda params: measure(params, "valid")["NDCG@10"],
        engine="numba",
    )
    return measure(params, "test")


def _vectors(model: "MF | LightGCN", params: "Params") -> tuple["Scores", "Scores"]:
    from droidloop.models.recommenders.lightgcn import LightGCN

    ready = model.vectors(params) if isinstance(model, LightGCN) else params
    return ready["user"].numpy(), ready["item"].numpy()
