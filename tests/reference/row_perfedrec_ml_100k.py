"""PerFedRec on ml-100k: the mixture against each of its three parts, with and without noise.

Its paper states no figure for this data; its claim is that the mixture of the model for all, the
cluster's and one's own is better than each alone. Half of the phones take part in a round, half of
these by the size of their cluster. Each part has the round that validates best for it. ``noise`` is
with the Laplace noise of the authors' code, of scale 0.02, on every number that is uploaded, the
user's vector included; what it does for privacy, an epsilon of 50 for a number and an upload at a
bound of 0.5, is next to nothing. All items are taken to have 50 users, as nobody knows their
numbers: on validation (seed 11) that was as good as the true ones.
"""

from typing import TYPE_CHECKING

from tests.reference.beside import beside, lines_beside
from tests.reference.federated import judge_of
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.platform.arrays import FloatArray

DATA = "ml-100k"
PARTS = {"trained": "mean of three", "global": "global", "cluster": "cluster", "own": "own"}
GOOD_ALONE = {
    "cluster": "the cluster's model alone is as good",
    "own": "a phone's own model alone is as good",
}
NOISES = {"": 0.0, "-noise": 0.02}
NAME = "perfedrec-ml-100k"
CLUSTERS, CLIENTS = 5, 471
ROUNDS, EVERY, BOUND = 60, 20, 0.5
LINES = lines_beside(NAME)
for _end in NOISES:
    _text = f"clean, all items{', noise' if _end else ''}"
    LINES |= {
        f"{NAME}-{part}{_end}": Line(f"{_text}, {shown}", "NDCG@10")
        for part, shown in PARTS.items()
    }
    LINES |= {
        f"{NAME}-over-{part}{_end}": Line(
            f"{_text}, mean of three less {shown}",
            "NDCG@10",
            at_least(0.0),
            because=GOOD_ALONE.get(part, ""),
        )
        for part, shown in PARTS.items()
        if part != "trained"
    }
    LINES[f"{NAME}-over-best{_end}"] = Line(f"{_text}, mean of three less the best", "NDCG@10")


def measure(seed: int) -> Values:
    """Return NDCG@10 among all items of the mixture and of its parts, by user."""
    split = ml_100k()
    values, best = beside(NAME, judge_of(split, seed))
    for end, noise in NOISES.items():
        found = best_rounds(split, seed, noise)
        mixed = found["trained"]
        values |= {f"{NAME}-{part}{end}": found[part] for part in PARTS}
        values |= {
            f"{NAME}-over-{part}{end}": mixed - found[part] for part in PARTS if part != "trained"
        }
        values[f"{NAME}-over-best{end}"] = mixed - best["full NDCG@10"]
    return values


def best_rounds(split: "Split", seed: int, noise: float) -> dict[str, "FloatArray"]:
    """Train; return the test figures of each part at its best validation round."""
    import numpy as np

    from droidloop.models.evaluation.candidates import exclusions
    from droidloop.models.evaluation.evaluate import evaluate
    from droidloop.models.federated.fedgcn import FedLightGCN
    from droidloop.models.federated.folds import row_average
    from droidloop.models.federated.perfedrec_rules import ClusterServer, PerFedRec
    from droidloop.models.federated.perfedrec_scorers import mixture
    from droidloop.models.interfaces.learning import Cohort
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.numerics.kmeans import by_cluster_size
    from droidloop.models.recommenders.mf import MF
    from droidloop.models.transforms.clip_laplace import ClipLaplace, ClipLaplaceSection
    from droidloop.platform.draws import Draws

    draws, phones = Draws(seed, "perfedrec"), np.arange(split.n_users)
    model = MF(split.n_items, 32, "bpr")
    rule = PerFedRec(FedLightGCN(model, 1, Sgd(0.1, 0.1), exclude=exclusions(split, "clean")))
    first = draws.child("init")
    server = ClusterServer(
        model.init(first),
        row_average,
        n_phones=len(phones),
        dim=model.dim,
        clusters=CLUSTERS,
        draws=draws,
    )
    store = PrivateStore.of(model, first, len(phones))
    blur = None
    if noise > 0:
        section = ClipLaplaceSection(clip=BOUND, noise=noise)
        blur = ClipLaplace(section, draws.child("laplace"), np.zeros(len(phones)))
    best: dict[str, tuple[float, FloatArray]] = {}
    for number in range(ROUNDS):
        chosen = by_cluster_size(phones, server.labels, CLIENTS, draws.child("clients"), number)
        for inbox in server.broadcast(chosen):
            mine = inbox.receiver
            cohort = Cohort(mine, number, store.gather(mine))
            sent = rule.step(cohort, inbox, split.train.take(mine), draws.child("training"))
            store.commit(mine, cohort.private)
            server.absorb(blur.seal(sent, mine, number) if blur else sent)
        server.close()
        if (number + 1) % EVERY:
            continue
        for part, scorer in mixture(rule, server, store, split.train, draws).items():
            valid, test = (
                evaluate(scorer.every, split, part=held).values["ndcg_at_10"]
                for held in ("valid", "test")
            )
            if part not in best or valid.mean() > best[part][0]:
                best[part] = float(valid.mean()), test
    return {part: test for part, (_, test) in best.items()}
