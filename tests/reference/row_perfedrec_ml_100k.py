"""PerFedRec on ml-100k: the mixture against each of its three parts.

Its paper states no figure for this data; its claim is that the mixture of the model for all, the
cluster's and one's own is better than each alone. Here the mixture beats the model for all and,
mostly, one's own, while the cluster's model alone is as good or better: so the lead has no bar.
Half of the phones take part in a round, half of these by the size of their cluster. Each part has
the round that validates best for it.
"""

from typing import TYPE_CHECKING

from tests.reference.movielens import ml_100k
from tests.reference.row import Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split

DATA = "ml-100k"
PARTS = {"trained": "mean of three", "global": "global", "cluster": "cluster", "own": "own"}
NAME = "perfedrec-ml-100k"
LINES = {
    f"{NAME}-{part}": Line(f"clean, all items, {shown}", "NDCG@10") for part, shown in PARTS.items()
}
LINES[f"{NAME}-lead"] = Line("clean, all items, mean less the best part", "NDCG@10")
LINES[f"{NAME}-lead-over-global"] = Line(
    "clean, all items, mean less the model for all", "NDCG@10", at_least(0.0)
)

CLUSTERS, CLIENTS = 5, 471
ROUNDS, EVERY = 100, 10


def measure(seed: int) -> dict[str, float]:
    """Return NDCG@10 among all items of the mixture and of its parts."""
    values = best_rounds(ml_100k(), seed)
    figures = {f"{NAME}-{part}": values[part] for part in PARTS}
    lead = values["trained"] - max(values[part] for part in PARTS if part != "trained")
    over_global = values["trained"] - values["global"]
    return figures | {f"{NAME}-lead": lead, f"{NAME}-lead-over-global": over_global}


def best_rounds(split: "Split", seed: int) -> dict[str, float]:
    """Train; return the test figure of each part at its best validation round."""
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
    from droidloop.platform.draws import Draws

    draws, phones = Draws(seed, "perfedrec"), np.arange(split.n_users)
    model = MF(split.n_items, 32, "bpr")
    degrees = np.bincount(split.train.items, minlength=split.n_items)
    inner = FedLightGCN(
        model, 1, Sgd(0.1, 0.1), exclude=exclusions(split, "clean"), degrees=degrees
    )
    rule = PerFedRec(inner)
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
    best: dict[str, tuple[float, float]] = {}
    for number in range(ROUNDS):
        chosen = by_cluster_size(phones, server.labels, CLIENTS, draws.child("clients"), number)
        for inbox in server.broadcast(chosen):
            mine = inbox.receiver
            cohort = Cohort(mine, number, store.gather(mine))
            sent = rule.step(cohort, inbox, split.train.take(mine), draws.child("training"))
            store.commit(mine, cohort.private)
            server.absorb(sent)
        server.close()
        if (number + 1) % EVERY:
            continue
        for part, scorer in mixture(rule, server, store, split.train, draws).items():
            valid, test = (
                evaluate(scorer.every, split, part=held).means()["ndcg_at_10"]
                for held in ("valid", "test")
            )
            if part not in best or valid > best[part][0]:
                best[part] = valid, test
    return {part: test for part, (_, test) in best.items()}
