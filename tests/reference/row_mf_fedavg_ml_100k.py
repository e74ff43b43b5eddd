"""FedNCF on ml-100k with item rows averaged over those that hold them, against plain FedAvg.

Perifanis and Efraimidis (2022) claim that theirs converges in fewer rounds. Both take steps of 1
here, as published; test HR@10 among 99 candidates with the global table, after so many rounds.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, play
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
SEEDS = (1,)
AFTER = (10, 20, 30, 40)
SERVERS = ("mf-fedavg", "fedavg")
LINES = {
    f"{server}-{rounds}": Line(f"pfedrec (leaky), {rounds} rounds", "HR@10")
    for server in SERVERS
    for rounds in AFTER
} | {"mf-fedavg-lead": Line(f"pfedrec (leaky), {AFTER[-1]} rounds", "HR@10 more", at_least(0.01))}


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    import numpy as np
    import torch

    from droidloop.models.evaluation.candidates import sample_candidates
    from droidloop.models.evaluation.evaluator import Evaluator, ModelScorer
    from droidloop.models.evaluation.personal_tables import PersonalTables
    from droidloop.models.interfaces.store import PrivateStore
    from droidloop.platform.draws import Draws

    split, draws, values = ml_100k(), Draws(seed, "reference"), {}
    judge = Evaluator(split, sample_candidates(split, draws.child("candidates")), 10)
    phones = np.arange(split.n_users)
    for name in SERVERS:
        learner = learner_of(name, split, draws.child("init"))
        store = PrivateStore.of(learner.recommender, draws.child("init"), split.n_users)
        for number in range(AFTER[-1]):
            tables = PersonalTables("item", split.n_users)
            play(learner, store, tables, split.train, number, draws.child("training"))
            if number + 1 in AFTER:
                own = {key: torch.from_numpy(rows) for key, rows in store.gather(phones).items()}
                scorer = ModelScorer(learner.recommender, {**learner.server.params, **own})
                values[f"{name}-{number + 1}"] = judge.quality(scorer, "test")
    last = (values[f"{name}-{AFTER[-1]}"] for name in SERVERS)
    return values | {"mf-fedavg-lead": next(last) - next(last)}


def learner_of(server: str, split: "Split", draws: "Draws") -> Learner:
    """Return FedNCF as in its own row, with published server steps."""
    from droidloop.models.evaluation.candidates import exclusions
    from droidloop.models.federated.fedncf import FedNCF
    from droidloop.models.federated.folds import fed_avg, mf_fed_avg
    from droidloop.models.recommenders.neumf import NeuMF

    model = NeuMF(split.n_items, 16, 16, (16, 8), sd=0.1)
    params = model.init(draws)
    fold = fed_avg(params) if server == "fedavg" else mf_fed_avg(params, model.tables, 1.0, 1.0)
    return Learner(model, FedNCF(model, exclude=exclusions(split, "pfedrec")), fold)
