"""Learned pruning on a factorisation machine: ml-1m, what 1,000 users liked and what they did not.

The labels are those of PEP (``judged.py``): 3 is dropped, split at random, 8:1:1. Vectors of 32
numbers for user, item, gender, age, occupation and genres; all tables are pruned together. Settings
were chosen on validation with seed 11: step 0.004 and weight decay 1e-5 for all (of 0.001 and
0.004, 1e-5 and 1e-4), PEP's thresholds from -8 with step 0.01 and weight decay 1e-4 (of -8 and -6,
1e-5 and 1e-4), AMTL's price (of those that stand beside it); OptEmbed's price is ours. Beside PEP
stand pruning by size with the same retraining, and a dense table that is narrow enough to take no
more bytes. Losses and gains are differences of the AUC of a user, over users and seeds; those of
the AUC of all samples, which is what the paper has, were given their bars after the first run.
"""

from typing import TYPE_CHECKING, Any

from tests.reference.row import Bar, Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.fitting.retrain import Fitted
    from tests.reference.judged import Bench

DATA, USERS, DIM, SHARE = "ml-1m", 1000, 32, 0.1
AMTL_PRICE = 0.5
"""Of 0.1 and 0.5, and of 0.01 and 0.03 with 6 epochs and half the step."""
OPT_PRICE = 0.001
_PLAY = "PEP's labels, 1,000 users"
_EXACT = Bar(0.0, 0.0)
_FEW = "so few samples of a user do not tell it"
FITTED = ("dense", "narrow", "magnitude", "pep", "pep-before", "sseds", "amtl", "optembed")
LINES = {
    **{f"fm-{one}-ml-1m": Line(f"{_PLAY}, {one}", "AUC") for one in FITTED},
    **{f"fm-{one}-bytes-ml-1m": Line(f"{_PLAY}, {one}", "bytes") for one in FITTED},
    **{f"fm-{one}-hours-ml-1m": Line(f"{_PLAY}, {one}", "hours of search") for one in FITTED[3:]},
    **{
        f"fm-{one}-loss-ml-1m": Line(f"{_PLAY}, {one} less dense", "AUC by user")
        for one in FITTED[1:]
        if one != "pep"
    },
    "fm-pep-loss-ml-1m": Line(
        f"{_PLAY}, 90 % less dense", "AUC by user", at_least(-0.01), because=_FEW
    ),
    "fm-pep-retrain-ml-1m": Line(
        f"{_PLAY}, retrained less before", "AUC by user", at_least(0.0), because=_FEW
    ),
    "fm-pep-loss-of-all-ml-1m": Line(f"{_PLAY}, 90 % less dense", "AUC", at_least(-0.01)),
    "fm-pep-retrain-of-all-ml-1m": Line(f"{_PLAY}, retrained less before", "AUC", at_least(0.0)),
    "fm-pep-over-magnitude-ml-1m": Line(f"{_PLAY}, PEP less by size", "AUC by user"),
    "fm-pep-rises-ml-1m": Line(_PLAY, "share of epochs that leave no more", at_least(1.0)),
    "fm-sseds-share-ml-1m": Line("half of the dimensions", "kept less wanted", _EXACT),
    "fm-sseds-rank-ml-1m": Line("salience and removal", "rank correlation", at_least(0.7)),
    "fm-sseds-rank-signed-ml-1m": Line("salience and growth of loss", "rank correlation"),
    "fm-amtl-rank-ml-1m": Line("length and frequency", "rank correlation", at_least(0.0)),
    "fm-amtl-step-0-ml-1m": Line("scores at step 0 less before", "largest", _EXACT),
    "fm-optembed-index-ml-1m": Line("rows, columns and offsets", "bytes", at_least(1.0)),
}


def measure(seed: int) -> Values:
    """Return the figures of one seed."""
    from tests.reference.judged import Bench

    bench = Bench.of(USERS, DIM, seed)
    found, values = {"dense": bench.dense}, dict[str, Any]()
    for step in (_pep, _sseds, _amtl, _optembed):
        fitted, more = step(bench)
        found |= fitted
        values |= more
    found["narrow"] = bench.narrow(found["pep"].nbytes)
    by_user = {name: bench.by_user(one) for name, one in found.items()}
    for name, one in found.items():
        values[f"fm-{name}-ml-1m"] = bench.test(one)
        values[f"fm-{name}-bytes-ml-1m"] = float(one.nbytes)
        values[f"fm-{name}-hours-ml-1m"] = one.search_s / 3600
        values[f"fm-{name}-loss-ml-1m"] = by_user[name] - by_user["dense"]
    values["fm-pep-retrain-ml-1m"] = by_user["pep"] - by_user["pep-before"]
    for name, other in (("loss", "dense"), ("retrain", "pep-before")):
        gain = values["fm-pep-ml-1m"] - values[f"fm-{other}-ml-1m"]
        values[f"fm-pep-{name}-of-all-ml-1m"] = gain
    values["fm-pep-over-magnitude-ml-1m"] = by_user["pep"] - by_user["magnitude"]
    return {name: values[name] for name in LINES}


def _pep(bench: "Bench") -> "tuple[dict[str, Fitted], dict[str, Any]]":
    import numpy as np

    from droidloop.models.fitting.pep import pep
    from droidloop.models.fitting.retrain import largest, retrain

    model, first, names = bench.model, bench.first, bench.names
    hunt = bench.training(40, lr=0.01, weight_decay=1e-4, batch=1024)
    fitted, found = pep(
        *(model, first, names, SHARE, bench.training(), bench.judge), hunt=hunt, first=-8.0
    )
    sizes = {name: np.abs(bench.dense.params[name].numpy()) for name in names}
    by_size = retrain(model, first, largest(sizes, SHARE), bench.training(), bench.judge)
    falls = float((np.diff(found.shares) <= 0).mean())
    every = {"pep": fitted, "pep-before": found.before, "magnitude": by_size}
    return every, {"fm-pep-rises-ml-1m": falls}


def _sseds(bench: "Bench") -> "tuple[dict[str, Fitted], dict[str, Any]]":
    import numpy as np
    from scipy.stats import spearmanr

    from droidloop.models.fitting.sseds import kept_dimensions, removal, salience, sseds

    asked = (bench.model, bench.dense.params, bench.names, [next(bench.training().feed(0))])
    worth, lost = salience(*asked), removal(*asked)
    every = [np.concatenate(list(one.values())) for one in (worth, lost)]
    kept = sum(int(one.sum()) for one in kept_dimensions(worth, 0.5).values())
    fitted = sseds(
        *(bench.model, bench.first, bench.dense.params, bench.names, 0.5),
        *(bench.training(), bench.judge),
    )
    return {"sseds": fitted}, {
        "fm-sseds-share-ml-1m": float(kept - len(every[0]) // 2),
        "fm-sseds-rank-ml-1m": float(spearmanr(every[0], np.abs(every[1])).statistic),
        "fm-sseds-rank-signed-ml-1m": float(spearmanr(*every).statistic),
    }


def _amtl(bench: "Bench") -> "tuple[dict[str, Fitted], dict[str, Any]]":
    import numpy as np
    from scipy.stats import spearmanr

    from droidloop.models.fitting.amtl import amtl, warm
    from droidloop.models.fitting.fit_din import scores_of

    model, trained, longer = bench.model, bench.dense.params, bench.training(12)
    before = scores_of(model, trained, bench.data.valid)
    after = scores_of(*warm(model, trained, bench.counts, longer), bench.data.valid)
    fitted, lengths = amtl(model, trained, bench.counts, longer, AMTL_PRICE)
    ranks = [spearmanr(one, bench.counts[name]).statistic for name, one in lengths.items()]
    return {"amtl": fitted}, {
        "fm-amtl-rank-ml-1m": float(np.nan_to_num(min(ranks), nan=-1.0)),
        "fm-amtl-step-0-ml-1m": float(np.abs(after - before).max()),
    }


def _optembed(bench: "Bench") -> "tuple[dict[str, Fitted], dict[str, Any]]":
    from droidloop.models.fitting.evolution import Evolution
    from droidloop.models.fitting.optembed import optembed, row_bytes

    fitted, chosen = optembed(
        *(bench.model, bench.first, bench.names, bench.training(8), bench.training()),
        bench.judge,
        price=OPT_PRICE,
        evolution=Evolution(4, 10),
    )
    numbers = sum(4 * int(there.sum()) * chosen.widths[name] for name, there in chosen.rows.items())
    index = row_bytes(chosen.rows, chosen.widths) - numbers
    return {"optembed": fitted}, {"fm-optembed-index-ml-1m": float(index)}
