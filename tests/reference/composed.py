"""Composed tables under matrix factorisation, for a row: trained in one place, all items ranked.

A figure of a table is that of the epoch that is best on validation. Items that share a vector, or
whose vectors are all 0, are ordered by the same small chance in all.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.reference.small_tables import ndcg, tie_breaks

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.interfaces.learning import EmbeddingTable, Params
    from droidloop.platform.arrays import FloatArray

DIM, TIES = 64, 1e-4


def judge(split: "Split", seed: int, part: Any = "valid") -> "Callable[..., FloatArray]":
    """Return what makes NDCG@10 of each user of a table and all parameters."""
    from droidloop.models.tables.float_rows import every_vector

    breaks = TIES * tie_breaks(split.n_items, seed)

    def measure(table: "EmbeddingTable", params: "Params") -> "FloatArray":
        return ndcg(split, params["user"].numpy(), every_vector(table, params), part, breaks)

    return measure


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
