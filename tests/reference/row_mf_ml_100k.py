"""Matrix factorisation on ml-100k: against popularity in full ranking, and on ratings.

BPR-MF on all ratings as positives: RecBole's README, quick start, one run. The two bars are
checks that its code does not state: a lead over popularity, and an error without biases that
Surprise's SVD reaches with biases (0.939, Microsoft Recommenders' README, another split).
"""

from tests.reference.full_ranking import SD, figures, split_of, train
from tests.reference.movielens import folder
from tests.reference.row import Bar, Line, at_least

DATA = "ml-100k"
LINES = {
    "bpr-ml-100k": Line("8:1:1, all items", "NDCG@10"),
    "popularity-ml-100k": Line("8:1:1, all items", "NDCG@10"),
    "bpr-over-popularity-ml-100k": Line("8:1:1, all items", "ratio of NDCG@10", at_least(1.3)),
    "lightgcn-ml-100k": Line("8:1:1, all items", "NDCG@10"),
    "lightgcn-over-bpr-ml-100k": Line("8:1:1, all items", "ratio of NDCG@10", at_least(1.0)),
    "mf-rmse-ml-100k": Line("85:5:10", "RMSE", Bar(0.0, 0.95)),
}


def measure(seed: int) -> dict[str, float]:
    """Return NDCG@10 of BPR-MF, popularity and LightGCN with their ratios, and the RMSE."""
    from droidloop.models.data.readers import load
    from droidloop.models.graphs.propagation import Bipartite
    from droidloop.models.recommenders.baselines import Popularity
    from droidloop.models.recommenders.lightgcn import LightGCN
    from droidloop.models.recommenders.mf import MF

    interactions = load(folder("ml-100k"))
    split = split_of(interactions, seed)
    popular = figures(Popularity(split.train, split.n_items).scores, split, "test")["NDCG@10"]
    mf = MF(split.n_items, 64, "bpr", sd=SD)
    bpr = train(mf, split, seed, lr=0.001, batch=2048, patience=10)["NDCG@10"]
    gcn = LightGCN(Bipartite.of(split.train, split.n_items), 64, 3, sd=SD)
    light = train(gcn, split, seed, lr=0.005, batch=2048, patience=10)["NDCG@10"]
    values = bpr, popular, bpr / popular, light, light / bpr, rating_error(seed)
    return dict(zip(LINES, values, strict=True))


def rating_error(seed: int) -> float:
    """Return the RMSE of MF without biases on a tenth of each user's ratings.

    It is trained on what ratings differ from their mean; its answers are cut at 1 and 5.
    """
    from dataclasses import replace

    import numpy as np

    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.readers import load
    from droidloop.models.data.split import ratio
    from droidloop.models.fitting.fit import Hyperparameters, fit
    from droidloop.models.interfaces.learning import Params, init_all
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

    draws = Draws(seed, "ratings")
    split = ratio(load(folder("ml-100k")), draws.child("split"), (0.85, 0.05, 0.1))
    mean = float(split.train.ratings.mean())

    def error(params: Params, part: UserItems) -> float:
        own = np.repeat(np.arange(part.n_users), part.counts)
        user, item = params["user"].numpy()[own], params["item"].numpy()[part.items]
        guess = np.clip(mean + (user * item).sum(1), 1, 5)
        return float(np.sqrt(np.mean((guess - part.ratings) ** 2)))

    model = MF(split.n_items, 16, "squared", l2=0.2)
    params = fit(
        model,
        init_all(model, draws.child("init"), split.n_users),
        replace(split.train, ratings=split.train.ratings - mean),
        Hyperparameters(epochs=100, lr=0.003, batch=1024, negatives=0, patience=4),
        n_items=split.n_items,
        draws=draws.child("training"),
        validate=lambda params: -error(params, split.valid),
        engine="numba",
    )
    return error(params, split.test)
