"""FedFast on ml-100k: its first rounds against FedAvg and FedMF with random clients.

Its paper claims faster training; a tenth of the phones takes part in each of 100 rounds, and what
counts is test HR@10 among 99 candidates after a fifth of them. A user of FedFast is scored with
the drift that waits for the phone on the server, as the paper has it; the line ``-unmoved`` is
without it, which is what phones know that have not asked since.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.evaluation.evaluator import Evaluator
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
NAME = "fedfast-ml-100k"
ROUNDS, AFTER, SHARE, CLUSTERS = 100, (10, 20, 50, 100), 0.1, 10
RULES = ("fedfast", "fedavg", "fedmf")
LINES = {
    f"{NAME}-{rule}-{rounds}": Line(f"clean, {rounds} of {ROUNDS} rounds", "HR@10")
    for rule in (*RULES, "unmoved")
    for rounds in AFTER
} | {
    f"{NAME}-over-fedavg": Line("clean, 20 rounds", "HR@10 more", at_least(0.0)),
    f"{NAME}-over-fedmf": Line("clean, 20 rounds", "HR@10 more"),
}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    from droidloop.models.evaluation.candidates import sample_candidates
    from droidloop.models.evaluation.evaluator import Evaluator
    from droidloop.platform.draws import Draws

    split, draws, values = ml_100k(), Draws(seed, "fedfast"), {}
    judge = Evaluator(split, sample_candidates(split, draws.child("candidates")), 10)
    for rule in RULES:
        for name, rounds, hits in played(rule, split, judge, draws):
            values[f"{NAME}-{name}-{rounds}"] = hits
    fast, average, plain = (values[f"{NAME}-{rule}-20"] for rule in RULES)
    return values | {f"{NAME}-over-fedavg": fast - average, f"{NAME}-over-fedmf": fast - plain}


def played(
    rule: str, split: "Split", judge: "Evaluator", draws: "Draws"
) -> list[tuple[str, int, float]]:
    """Play all rounds; return (name, rounds, HR@10) at the moments of ``AFTER``."""
    import numpy as np
    import torch

    from droidloop.models.evaluation.evaluator import ModelScorer
    from droidloop.models.federated.fedfast import FedFastServer
    from droidloop.models.interfaces.learning import Cohort
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.models.numerics.kmeans import some_of_each

    learner, found = learner_of(rule, split, draws), []
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
        sent = learner.client.step(cohort, inbox, split.train.take(phones), draws.child("train"))
        assert server.absorb(sent).all()
        server.close()
        store.commit(phones, cohort.private)
        if number + 1 in AFTER:
            user = store.gather(everybody)["user"]
            states = {rule: user}
            if isinstance(server, FedFastServer):
                states = {rule: user + server.drift_of(everybody), "unmoved": user}
            for name, vectors in states.items():
                params = {**server.params, "user": torch.from_numpy(vectors)}
                hits = judge.quality(ModelScorer(learner.recommender, params), "test")
                found.append((name, number + 1, hits))
    return found


def learner_of(rule: str, split: "Split", draws: "Draws") -> Learner:
    """Return matrix factorisation with 32 dimensions under *rule*."""
    from droidloop.models.evaluation.candidates import exclusions
    from droidloop.models.federated.fedfast import FedFast, FedFastServer
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import fed_avg, row_average
    from droidloop.models.recommenders.mf import MF

    mf = MF(split.n_items, 32)
    params, client = mf.init(draws.child("init")), FedMF(mf, exclude=exclusions(split, "clean"))
    if rule == "fedavg":
        return Learner(mf, client, fed_avg(params))
    if rule == "fedmf":
        return Learner(mf, client, row_average(params, 2.0))
    server = FedFastServer(
        row_average(params, 2.0),
        n_phones=split.n_users,
        dim=mf.dim,
        clusters=CLUSTERS,
        discount=0.5,
        draws=draws.child("clusters"),
    )
    return Learner(mf, FedFast(client), server)
