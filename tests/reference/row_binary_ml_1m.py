"""Codes of 64 signs on ml-1m: CH against matrix factorisation, PPH against signs, HashGNN's guide.

Of 1,000 users, drawn by chance and the same in all seeds; all items are ranked, test items as in
the NCF paper; chance breaks the ties of codes, alike in all. Settings were chosen on validation
with seed 11. Kendall's tau is that of the order of 200 items drawn for each user, by codes and by
the real vectors that they stand for; pairs that codes do not tell apart count 0. PPH is compared
with the signs of its own vectors, which are better than those of matrix factorisation.
"""

from typing import TYPE_CHECKING, Any

from tests.reference.movielens import ml_1m
from tests.reference.row import Bar, Line, Values, at_least
from tests.reference.small_tables import ndcg, signs_of, tie_breaks

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.platform.arrays import FloatArray

DATA, USERS, BITS, ASKED = "ml-1m", 1000, 64, 200
_PLAY, _MORE = "NCF's test rows, all items", "NDCG@10 difference"
LINES = {
    "mf-64-ml-1m": Line(_PLAY, "NDCG@10"),
    "sign-mf-64-ml-1m": Line(_PLAY, "NDCG@10"),
    "ch-64-ml-1m": Line(_PLAY, "NDCG@10"),
    "ch-64-over-60-percent-of-mf-ml-1m": Line(_PLAY, _MORE, at_least(0.0)),
    "ch-64-ones-ml-1m": Line("of all signs", "share of ones", Bar(0.45, 0.55)),
    "pph-64-tau-ml-1m": Line("200 items", "Kendall's tau"),
    "sign-mf-64-tau-ml-1m": Line("200 items", "Kendall's tau"),
    "pph-64-signs-tau-ml-1m": Line("200 items", "Kendall's tau"),
    "pph-over-sign-tau-ml-1m": Line("200 items", "Kendall's tau difference", at_least(0.0)),
    "pph-64-ml-1m": Line(_PLAY, "NDCG@10"),
    "hash-gnn-64-ml-1m": Line(_PLAY, "NDCG@10"),
    "hash-gnn-64-unguided-ml-1m": Line(_PLAY, "NDCG@10"),
    "hash-gnn-guided-over-unguided-ml-1m": Line(
        _PLAY,
        _MORE,
        at_least(0.0),
        because="the interval over 1,000 users reaches below 0",
    ),
}
L2, EPOCHS, LR = 0.01, 12, 0.01
"""Of matrix factorisation."""
RELAXED_EPOCHS, GUIDED = 8, 0.3


def taus(users: Any, items: Any, real: "tuple[Any, Any]", seed: int) -> "FloatArray":
    """Return Kendall's tau of each user, of the products of two pairs of vectors."""
    import numpy as np

    from droidloop.platform.draws import Draws

    found, every = np.empty(len(users)), np.arange(len(items))
    for user in range(len(users)):
        some = Draws(seed, f"asked/{user}").choose(every, ASKED, 0)
        one, other = items[some] @ users[user], real[1][some] @ real[0][user]
        signs = np.sign(one[:, None] - one) * np.sign(other[:, None] - other)
        found[user] = signs.sum() / (ASKED * (ASKED - 1))
    return found


def settings(epochs: int, lr: float, batch: int = 2048, negatives: int = 4) -> Any:
    """Return how a model is trained."""
    from droidloop.models.fitting.fit import Hyperparameters

    return Hyperparameters(epochs=epochs, lr=lr, batch=batch, negatives=negatives)


def graph_codes(split: "Split", seed: int, *, guided: float) -> Any:
    """Return the codes of HashGNN."""
    from droidloop.models.fitting.hash_gnn import Hashing, hash_gnn
    from droidloop.platform.draws import Draws

    ties = tie_breaks(split.n_items, seed)
    return hash_gnn(
        *(split.train, split.n_items, settings(16, 0.02, 8192, 2), Hashing(BITS, guided=guided)),
        draws=Draws(seed, "hash gnn"),
        validate=lambda codes: _mean(split, codes, ties),
    )


def _mean(split: "Split", vectors: Any, ties: Any = 0.0, part: Any = "valid") -> float:
    user, item = vectors["user"].numpy(), vectors["item"].numpy()
    return float(ndcg(split, user, item, part, ties).mean())


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    import numpy as np

    from droidloop.models.fitting.fit import fit
    from droidloop.models.fitting.hashing import (
        Relaxed,
        collaborative_hashing,
        preference_preserving,
    )
    from droidloop.models.interfaces.learning import init_all
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.float_rows import every_vector
    from droidloop.models.tables.phase import PhaseTable
    from droidloop.platform.draws import Draws

    split, draws = ml_1m(USERS), Draws(seed, "binary")
    n, ties = split.n_items, tie_breaks(split.n_items, seed)
    model, chosen = MF(n, BITS, "log", L2), settings(EPOCHS, LR)
    dense = fit(
        *(model, init_all(model, draws.child("init"), split.n_users), split.train, chosen),
        n_items=n,
        draws=draws,
        validate=lambda params: _mean(split, params),
        engine="numba",
    )
    real = dense["user"].numpy(), dense["item"].numpy()
    signs = signs_of(real[0]), signs_of(real[1])
    mf = ndcg(split, *real)
    brief = settings(RELAXED_EPOCHS, LR)
    ch = collaborative_hashing(
        *(model, split.train, brief, Relaxed(balance=0.01, spread=0.01)),
        draws=draws.child("ch"),
        validate=lambda codes: _mean(split, codes, ties),
    )
    codes = ch["user"].numpy(), ch["item"].numpy()
    hashed = ndcg(split, *codes, ties=ties)
    ones = float((np.concatenate(codes) > 0).mean())
    behind, latent = preference_preserving(
        *(model, split.train, brief, Relaxed(length=0.01)),
        draws=draws.child("pph"),
        validate=lambda params: _mean(split, params),
    )
    table = PhaseTable(n, BITS)
    items = every_vector(
        table, {"item": latent["item"], "item_levels": table.fitted(latent["item"])}
    )
    users = latent["user"].numpy()
    turned = behind["user"].numpy(), behind["item"].numpy()
    tau, plain = taus(users, items, turned, seed), taus(*signs, real, seed)
    alone = taus(signs_of(turned[0]), signs_of(turned[1]), turned, seed)
    graphs = [
        ndcg(split, one["user"].numpy(), one["item"].numpy(), ties=ties)
        for one in (graph_codes(split, seed, guided=share) for share in (GUIDED, 0.0))
    ]
    values: list[Any] = [
        *(mf, ndcg(split, *signs, ties=ties), hashed, hashed - 0.6 * mf, ones),
        *(tau, plain, alone, tau - alone, ndcg(split, users, items, ties=1e-4 * ties)),
        *(*graphs, graphs[0] - graphs[1]),
    ]
    return dict(zip(LINES, values, strict=True))
