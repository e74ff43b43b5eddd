"""Composed tables under matrix factorisation, for a row: trained in one place, all items ranked.

A figure of a table is that of the epoch that is best on validation. Items that share a vector, or
whose vectors are all 0, are ordered by the same small chance in all.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.reference.small_tables import ndcg, tie_breaks

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.interfaces.learning import EmbeddingTable, Params, Recommender
    from droidloop.platform.arrays import FloatArray

DIM, TIES = 64, 1e-4


def judge(
    split: "Split", seed: int, part: Any = "valid", k: int = 10
) -> "Callable[..., FloatArray]":
    """Return what makes NDCG@k of each user of a table and all parameters."""
    from droidloop.models.tables.float_rows import every_vector

    breaks = TIES * tie_breaks(split.n_items, seed)

    def measure(table: "EmbeddingTable", params: "Params") -> "FloatArray":
        return ndcg(split, params["user"].numpy(), every_vector(table, params), part, breaks, k)

    return measure


def reached(split: "Split") -> "Callable[[Recommender, Params], dict[str, FloatArray]]":
    """Return what makes of a model how well each item does, for CIESS.

    That is 1 / log2(1 + rank) of the validation item of a user, and of an item the mean over those
    who had it in training.
    """
    import numpy as np

    from droidloop.models.tables.float_rows import every_vector

    train, valid = split.train, split.valid
    owners = np.repeat(np.arange(train.n_users), train.counts)
    held = np.flatnonzero(valid.counts > 0)
    asked = valid.items[valid.offsets[held]]
    often = np.maximum(np.bincount(train.items, minlength=split.n_items), 1)

    def of(model: "Recommender", params: "Params") -> "dict[str, FloatArray]":
        [table] = model.tables.values()
        plain = {name: one.detach() for name, one in params.items()}
        scores = plain["user"].numpy() @ every_vector(table, plain).T
        own = scores[held, asked]
        scores[owners, train.items] = -np.inf
        mine = np.zeros(train.n_users)
        mine[held] = 1 / np.log2(2 + (scores[held] > own[:, None]).sum(axis=1))
        return {"item": np.bincount(train.items, mine[owners], split.n_items) / often}

    return of


def settings(epochs: int, lr: float, batch: int = 2048) -> Any:
    """Return how a model is trained, with 4 negatives."""
    from droidloop.models.fitting.fit import Hyperparameters

    return Hyperparameters(epochs=epochs, lr=lr, batch=batch, negatives=4)


def plain(
    split: "Split", seed: int, table: "EmbeddingTable", l2: float, epochs: int, lr: float
) -> "Params":
    """Return matrix factorisation on *table*."""
    from droidloop.models.fitting.compiled_adam import compiles
    from droidloop.models.fitting.fit import fit
    from droidloop.models.interfaces.learning import init_all
    from droidloop.models.recommenders.mf import MF
    from droidloop.platform.draws import Draws

    model, draws = MF(split.n_items, table.dim, "log", l2, table=table), Draws(seed, "composed")
    valid = judge(split, seed)
    return fit(
        model,
        init_all(model, draws.child("init"), split.n_users),
        split.train,
        settings(epochs, lr),
        n_items=split.n_items,
        draws=draws,
        validate=lambda params: float(valid(table, params).mean()),
        engine="numba" if compiles(model) else "torch",
    )
