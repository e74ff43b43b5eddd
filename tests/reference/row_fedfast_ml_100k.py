"""FedFast on ml-100k: its first rounds against FedAvg and FedMF with random clients.

Its paper claims faster training; a tenth of the phones takes part in each of 100 rounds, and what
counts is test HR@10 among 99 candidates after a fifth of them. Two of the rules take steps of 1 and
one local epoch: FedFast with rows weighted by their extent, as in the paper (``paper``), and
FedAvg. Of the others all settings were chosen on validation after 20 rounds, with seeds 11 to 13:
steps of the server from 1 to 48 (by extent, 16 diverges), 1, 5, 10 or 20 local epochs, discounts
from 0 to 1. A user of FedFast is scored with the drift that waits for the phone on the server, as
the paper has it; ``unmoved`` is without it, which is what phones know that have not asked since.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.reference.beside import Figures, beside, figures, lines_beside
from tests.reference.federated import Learner, judge_of
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.evaluation.evaluator import Evaluator
    from droidloop.models.federated.folds import Fold
    from droidloop.models.interfaces.learning import Params
    from droidloop.platform.draws import Draws


@dataclass(frozen=True)
class Way:
    """Who is asked, and what the server makes of rows."""

    delegates: bool
    rows: Literal["extent", "mean", "fedavg"]
    step: float
    epochs: int = 1
    discount: float = 0.5

    def fold(self, params: "Params") -> "Fold":
        """Return the fold, starting from *params*."""
        from droidloop.models.federated.folds import extent_average, fed_avg, row_average

        average = {"extent": extent_average, "mean": row_average, "fedavg": fed_avg}[self.rows]
        return average(params, self.step)


DATA = "ml-100k"
NAME = "fedfast-ml-100k"
ROUNDS, AFTER, SHARE, CLUSTERS = 100, (10, 20, 50, 100), 0.1, 10
WAYS = {
    "paper": Way(True, "extent", 1.0),
    "fedavg-1": Way(False, "fedavg", 1.0),
    "extent": Way(True, "extent", 8.0),
    "equal": Way(True, "mean", 16.0, 5, 0.1),
    "fedavg": Way(False, "fedavg", 16.0, 5),
    "fedmf": Way(False, "mean", 4.0, 10),
}
FEW_DECIDE = "weights by extent leave a row to the few phones that move it most"
ONE_SEED = "the lead changes its sign with the seed"
LINES = (
    {
        f"{NAME}-{way}-{rounds}": Line(f"clean, {way}, {rounds} of {ROUNDS} rounds", "HR@10")
        for way in (*WAYS, "paper-unmoved", "equal-unmoved")
        for rounds in AFTER
    }
    | {
        f"{NAME}-paper-over-fedavg-1": Line(
            "clean, 20 rounds, steps of 1", "HR@10 more", at_least(0.0)
        ),
        f"{NAME}-extent-over-fedmf": Line(
            *("clean, 20 rounds, settings chosen, rows by extent", "HR@10 more", at_least(0.0)),
            because=FEW_DECIDE,
        ),
        f"{NAME}-equal-over-fedmf": Line(
            *("clean, 20 rounds, settings chosen, rows alike", "HR@10 more", at_least(0.0)),
            because=ONE_SEED,
        ),
        f"{NAME}-equal-over-fedavg": Line(
            *("clean, 20 rounds, settings chosen, rows alike", "HR@10 more", at_least(0.0)),
            because=ONE_SEED,
        ),
        f"{NAME}-equal-over-popularity": Line(
            "clean, 20 rounds, rows alike", "HR@10 more", at_least(0.0)
        ),
        f"{NAME}-equal-over-best": Line("clean, 100 rounds, rows alike less the best", "HR@10"),
    }
    | lines_beside(NAME)
)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    split, judge = ml_100k(), judge_of(ml_100k(), seed)
    values, best = beside(NAME, judge)
    for way in WAYS:
        for name, found in played(way, split, judge, seed).items():
            values[f"{NAME}-{name}"] = found["sampled HR@10"]

    def ahead(one: str, other: str) -> None:
        values[f"{NAME}-{one}-over-{other}"] = (
            values[f"{NAME}-{one}-20"] - values[f"{NAME}-{other}-20"]
        )

    for one, other in (("paper", "fedavg-1"), ("extent", "fedmf"), ("equal", "fedmf")):
        ahead(one, other)
    ahead("equal", "fedavg")
    popular = values[f"{NAME}-popularity"]
    values[f"{NAME}-equal-over-popularity"] = values[f"{NAME}-equal-20"] - popular
    values[f"{NAME}-equal-over-best"] = values[f"{NAME}-equal-100"] - best["sampled HR@10"]
    return values


def played(way: str, split: "Split", judge: "Evaluator", seed: int) -> dict[str, Figures]:
    """Play all rounds; return figures by *way* and rounds, at the moments of ``AFTER``."""
    import numpy as np
    import torch

    from droidloop.models.evaluation.evaluator import ModelScorer
    from droidloop.models.federated.fedfast import FedFastServer
    from droidloop.models.interfaces.learning import Cohort
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.numerics.kmeans import some_of_each
    from droidloop.platform.draws import Draws

    draws, found = Draws(seed, "fedfast"), {}
    learner = learner_of(WAYS[way], split, draws)
    server, everybody = learner.server, np.arange(split.n_users)
    store = PrivateStore.of(learner.recommender, draws.child("init"), split.n_users)
    clients = round(SHARE * split.n_users)
    for number in range(ROUNDS):
        chance = draws.child("clients")
        if isinstance(server, FedFastServer):
            phones = some_of_each(everybody, server.labels, clients, chance, number)
        else:
            phones = chance.choose(everybody, clients, number)
        cohort = Cohort(phones, number, store.gather(phones))
        [inbox] = server.broadcast(phones)
        if isinstance(server, FedFastServer):
            server.delivered(inbox)
        sent = learner.client.step(cohort, inbox, split.train.take(phones), draws.child("train"))
        assert server.absorb(sent).all()
        server.close()
        store.commit(phones, cohort.private)
        if number + 1 in AFTER:
            user = store.gather(everybody)["user"]
            states = {way: user}
            if isinstance(server, FedFastServer):
                states = {way: user + server.drift_of(everybody), f"{way}-unmoved": user}
            for name, vectors in states.items():
                params = {**server.params, "user": torch.from_numpy(vectors)}
                scorer = ModelScorer(learner.recommender, params)
                if f"{NAME}-{name}-{number + 1}" in LINES:
                    found[f"{name}-{number + 1}"] = figures(judge, scorer)
    return found


def learner_of(way: Way, split: "Split", draws: "Draws") -> Learner:
    """Return matrix factorisation with 32 dimensions, learned that *way*."""
    from droidloop.models.evaluation.candidates import exclusions
    from droidloop.models.federated.fedfast import FedFast, FedFastServer
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.local.sgd import Sgd
    from droidloop.models.recommenders.mf import MF

    mf = MF(split.n_items, 32)
    params = mf.init(draws.child("init"))
    sgd = Sgd(epochs=way.epochs)
    client = FedMF(mf, sgd, exclude=exclusions(split, "clean"))
    if not way.delegates:
        return Learner(mf, client, way.fold(params))
    server = FedFastServer(
        way.fold(params),
        n_phones=split.n_users,
        dim=mf.dim,
        clusters=CLUSTERS,
        discount=way.discount,
        draws=draws.child("clusters"),
    )
    return Learner(mf, FedFast(client), server)
