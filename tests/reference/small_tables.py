"""Matrix factorisation on small tables, for rows: trained in one place, ranked over all items."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.interfaces.learning import EmbeddingTable, Params
    from droidloop.platform.arrays import FloatArray


def signs_of(vectors: Any) -> Any:
    """Return +1 or -1 for each number."""
    import numpy as np

    return np.where(vectors >= 0, 1.0, -1.0)


def ndcg(
    split: "Split", user: Any, item: Any, part: Any = "test", ties: Any = 0.0, k: int = 10
) -> "FloatArray":
    """Return NDCG@k of each user."""
    import numpy as np

    from droidloop.models.evaluation.evaluate import evaluate

    def score(users: Any) -> Any:
        return (user[users] @ item.T + ties).astype(np.float32)

    return evaluate(score, split, k=k, part=part).values[f"ndcg_at_{k}"]


def tie_breaks(n_items: int, seed: int) -> "FloatArray":
    """Return what orders items of equal scores, which are whole numbers."""
    import numpy as np

    from droidloop.platform.draws import Draws

    return Draws(seed, "ties").uniform(np.arange(n_items), 0) * 0.5


def trained(
    split: "Split",
    seed: int,
    table: "EmbeddingTable",
    *,
    l2: float,
    signs: bool = False,
    lr: float = 0.02,
    epochs: int = 15,
    ties: float = 0.0,
) -> "Params":
    """Return matrix factorisation on *table*, of the epoch whose vectors or *signs* are best.

    *ties* of ``tie_breaks`` are added where items share vectors.
    """
    from droidloop.models.fitting.compiled_adam import compiles
    from droidloop.models.fitting.fit import Hyperparameters, fit
    from droidloop.models.interfaces.learning import Params, init_all
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.tables.float_rows import every_vector
    from droidloop.platform.draws import Draws

    model = MF(split.n_items, table.dim, "log", l2, table=table)
    draws = Draws(seed, "mf" if signs else "el")
    breaks = tie_breaks(split.n_items, seed) * (1.0 if signs else ties)

    def quality(params: Params) -> float:
        user, item = params["user"].numpy(), every_vector(table, params)
        if signs:
            user, item = signs_of(user), signs_of(item)
        return float(ndcg(split, user, item, "valid", breaks).mean())

    longer = Hyperparameters(epochs=60, lr=0.01, batch=2048, negatives=4, patience=8)
    chosen = longer if signs else Hyperparameters(epochs=epochs, lr=lr, batch=2048, negatives=4)
    return fit(
        model,
        init_all(model, draws.child("init"), split.n_users),
        split.train,
        chosen,
        n_items=split.n_items,
        draws=draws,
        validate=quality,
        engine="numba" if compiles(model) else "torch",
    )
