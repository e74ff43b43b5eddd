"""DIN on ml-100k: attention against mean pooling, in AUC on the latest tenth of each user's events.

The samples are those of the paper's experiments on Amazon (``next``): what a user rated next, and
an item drawn from those that the user never rated, later ones included (four of them where it is
for validation or test, so that AUC is less a matter of chance). The history is the 20 items that
the user rated last. Beside it, without a bar, stands whether a rated event is liked (``rated``: 4
or more), from the 20 items that the user liked last: there attention is no better. No model has a
vector of the user, as in the paper: the history says who it is.

Both poolings are trained alike with each of two weight decays, and each is judged with the one
that has the better validation AUC. Gains are differences of the AUC of a user, over all users, and
over the halves with few and with many events. ``changes`` is the mean distance between a user's
vectors for two targets, by the length of the vectors; 0 for the mean.
"""

from typing import TYPE_CHECKING, Any

from tests.reference.adaptation import InTime, next_ml_100k, rated_ml_100k
from tests.reference.row import Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.interfaces.learning import Params
    from droidloop.models.recommenders.din import DIN, Pooling

DATA = "ml-100k"
NAME = "din-ml-100k"
DECAYS, RATE, LENGTH = (1e-5, 1e-4), 0.005, 20
LINES = {
    f"{NAME}-{samples}-{pooling}{end}": Line(f"{samples}, {pooling}", metric)
    for samples in ("next", "rated")
    for pooling in ("attention", "mean")
    for end, metric in (("", "AUC"), ("-user", "AUC by user"), ("-decay", "decay"))
} | {
    f"{NAME}-next-gain": Line(
        "next, attention less mean", "AUC by user", at_least(0.0), because="it is within chance"
    ),
    f"{NAME}-next-gain-few": Line("next, attention less mean, few events", "AUC by user"),
    f"{NAME}-next-gain-many": Line("next, attention less mean, many events", "AUC by user"),
    f"{NAME}-rated-gain": Line("rated, attention less mean", "AUC by user"),
    f"{NAME}-changes": Line("next, two targets", "share of length", at_least(0.01)),
}


def measure(seed: int) -> Values:
    """Return the figures of one seed; AUC by user for each."""
    import numpy as np

    from droidloop.platform.draws import Draws

    values: dict[str, Any] = {}
    poolings: tuple[Pooling, ...] = ("mean", "attention")
    for samples in ("rated", "next"):
        if samples == "next":
            data = next_ml_100k(LENGTH, Draws(seed, "never had"))
        else:
            data = rated_ml_100k(LENGTH)
        for pooling in poolings:
            line = f"{NAME}-{samples}-{pooling}"
            din, params, values[f"{line}-decay"] = trained(data, pooling, seed)
            values |= judged(data, din, params, line)
        by_user = (values[f"{NAME}-{samples}-{one}-user"] for one in ("attention", "mean"))
        values[f"{NAME}-{samples}-gain"] = next(by_user) - next(by_user)
    gain, counts = values[f"{NAME}-next-gain"], data.local.counts
    few = counts <= np.median(counts)
    return values | {
        f"{NAME}-next-gain-few": np.where(few, gain, np.nan),
        f"{NAME}-next-gain-many": np.where(few, np.nan, gain),
        f"{NAME}-changes": changes(data, din, params),
    }


def trained(data: InTime, pooling: "Pooling", seed: int) -> "tuple[DIN, Params, float]":
    """Return the model, with the parameters and the decay that validation prefers."""
    from droidloop.models.fitting.fit_din import scores_of, train_din
    from droidloop.models.metrics.auc import auc
    from droidloop.models.recommenders.din import DIN
    from droidloop.platform.draws import Draws

    din = DIN(data.n_items, data.fields, length=LENGTH, pooling=pooling, personal=False)
    found = []
    for decay in DECAYS:
        params = train_din(
            *(din, data.train, data.valid, Draws(seed, "din")),
            epochs=20,
            lr=RATE,
            decay=decay,
            patience=3,
        )
        reached = auc(data.valid.labels, scores_of(din, params, data.valid))
        found.append((reached, -decay, params))
    _, decay, params = max(found, key=lambda one: one[:2])
    return din, params, -decay


def judged(data: InTime, din: "DIN", params: "Params", line: str) -> dict[str, Any]:
    """Return AUC on the test part, of all samples and of each user's."""
    from droidloop.models.fitting.fit_din import scores_of
    from droidloop.models.interfaces.metrics import Rated
    from droidloop.models.metrics.auc import auc, aucs

    scores = scores_of(din, params, data.test)
    by_user = aucs(Rated(data.test.labels, scores, data.test.offsets))
    return {line: auc(data.test.labels, scores), f"{line}-user": by_user}


def changes(data: InTime, din: "DIN", params: "Params") -> float:
    """Return how far apart a user's vectors for two targets are."""
    import numpy as np

    from droidloop.models.fitting.fit_din import batch_of

    some = batch_of(data.test, np.arange(0, len(data.test), 10))
    one, other = (
        din.user_vector(params, items, some.context) for items in (some.items, some.items.roll(1))
    )
    return float((one - other).norm(dim=1).mean() / one.norm(dim=1).mean())
