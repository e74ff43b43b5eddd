"""DIN on ml-100k: attention against mean pooling, in AUC on the latest tenth of each user's events.

The history is the 30 items that the user liked last. Both are trained alike with each of two
weight decays, and each is judged with the one that has the better validation AUC: attention
over-fits sooner, so one decay for both would favour one of them. ``changes`` is the mean distance
between a user's vectors for two targets, by the length of the vectors; 0 for the mean.
"""

from tests.reference.adaptation import rated_ml_100k
from tests.reference.row import Line, at_least

DATA = "ml-100k"
NAME = "din-ml-100k"
DECAYS, LENGTH = (3e-4, 1e-3), 30
LINES = {
    f"{NAME}-{pooling}{end}": Line(f"time-ordered, {pooling}", metric)
    for pooling in ("attention", "mean")
    for end, metric in (("", "AUC"), ("-user", "AUC by user"), ("-decay", "decay"))
} | {
    f"{NAME}-gain": Line("attention less mean", "AUC more", at_least(0.0)),
    f"{NAME}-user-gain": Line("attention less mean", "AUC by user more", at_least(0.0)),
    f"{NAME}-changes": Line("two targets", "share of length", at_least(0.01)),
}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    import torch

    from droidloop.models.ctr import auc, user_auc
    from droidloop.models.din import DIN, Pooling
    from droidloop.models.din_training import batch_of, scores_of, train_din
    from droidloop.platform.draws import Draws

    data, values = rated_ml_100k(LENGTH), {}
    poolings: tuple[Pooling, ...] = ("mean", "attention")
    for pooling in poolings:
        din = DIN(data.n_items, data.fields, length=LENGTH, pooling=pooling)
        best = -1.0
        for decay in DECAYS:
            params = train_din(
                *(din, data.train, data.valid, Draws(seed, "din")),
                epochs=30,
                decay=decay,
                patience=4,
            )
            reached = auc(data.valid.labels, scores_of(din, params, data.valid))
            if reached > best:
                best, kept, values[f"{NAME}-{pooling}-decay"] = reached, params, decay
        scores = scores_of(din, kept, data.test)
        values[f"{NAME}-{pooling}"] = auc(data.test.labels, scores)
        values[f"{NAME}-{pooling}-user"] = user_auc(data.test, scores).means()["auc"]
    some = batch_of(data.test, torch.arange(0, len(data.test), 10).numpy())
    one, other = (
        din.user_vector(kept, items, some.context) for items in (some.items, some.items.roll(1))
    )
    changes = (one - other).norm(dim=1).mean() / one.norm(dim=1).mean()
    return values | {
        f"{NAME}-gain": values[f"{NAME}-attention"] - values[f"{NAME}-mean"],
        f"{NAME}-user-gain": values[f"{NAME}-attention-user"] - values[f"{NAME}-mean-user"],
        f"{NAME}-changes": float(changes),
    }
