"""The scorers of PerFedRec: what each part is, that their mean is their mean, that they learn."""

import numpy as np
import pytest

from droidloop.models.data.split import Split, leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.evaluation.evaluate import evaluate
from droidloop.models.federated.fedgcn import FedLightGCN
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.perfedrec_rules import ClusterServer, PerFedRec
from droidloop.models.federated.perfedrec_scorers import MeanScorer, mixture
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws

DRAWS = Draws(47, "mixture")
N_USERS, N_ITEMS = 120, 80


def split() -> Split:
    return leave_one_out(generate(N_USERS, N_ITEMS, 16, DRAWS.child("data")))


def learned(
    rule: PerFedRec, part: Split, rounds: int, clusters: int = 3
) -> tuple[ClusterServer, PrivateStore]:
    model = rule.inner.recommender
    server = ClusterServer(
        model.init(DRAWS),
        row_average,
        n_phones=N_USERS,
        dim=model.dim,
        clusters=clusters,
        draws=DRAWS,
    )
    store = PrivateStore.of(model, DRAWS, N_USERS)
    for number in range(rounds):
        for inbox in server.broadcast(np.arange(N_USERS)):
            mine = inbox.receiver
            cohort = Cohort(mine, number, store.gather(mine))
            sent = rule.step(cohort, inbox, part.train.take(mine), DRAWS)
            store.commit(mine, cohort.private)
            server.absorb(sent)
        server.close()
    return server, store


MF8 = MF(N_ITEMS, 8, "bpr")
RULES = {"graph": PerFedRec(FedLightGCN(MF8)), "vector": PerFedRec(FedMF(MF8))}


@pytest.mark.parametrize("inner", RULES)
def test_some_scores_are_picked_from_all_and_a_batch_changes_no_bit(inner: str) -> None:
    part = split()
    server, store = learned(RULES[inner], part, 2)
    before = store.gather(np.arange(N_USERS))["user"].copy()
    scorers = mixture(RULES[inner], server, store, part.train, DRAWS)
    np.testing.assert_array_equal(store.gather(np.arange(N_USERS))["user"], before)
    users, items = np.array([7, 3, 90]), np.array([[1, 2], [0, 79], [5, 5]])
    assert set(scorers) == {"trained", "global", "cluster", "own"}
    for scorer in scorers.values():
        every = scorer.every(users)
        np.testing.assert_array_equal(scorer.some(users, items), every[[[0], [1], [2]], items])
        np.testing.assert_array_equal(scorer.every(users[1:2])[0], every[1])
    mean = np.mean([scorers[name].every(users) for name in ("global", "cluster", "own")], axis=0)
    np.testing.assert_allclose(scorers["trained"].every(users), mean, atol=1e-6)
    assert isinstance(scorers["trained"], MeanScorer)


def test_on_vectors_the_parts_are_the_products_with_their_tables() -> None:
    part, rule = split(), RULES["vector"]
    server, store = learned(rule, part, 2)
    scorers = mixture(rule, server, store, part.train, DRAWS)
    user = store.gather(np.arange(N_USERS))["user"]
    every = np.arange(N_USERS)
    expected = user @ server.params["item"].numpy().T
    np.testing.assert_allclose(scorers["global"].every(every), expected, atol=1e-5)
    for u in (0, 55):
        table = server.group_params(int(server.labels[u]))["item"].numpy()
        np.testing.assert_allclose(scorers["cluster"].every(every)[u], table @ user[u], atol=1e-5)
        [inbox] = server.broadcast(np.array([u]))
        alone = Cohort(np.array([u]), server.version, {"user": user[[u]]})
        sent = rule.step(alone, inbox, part.train.take(np.array([u])), DRAWS.child("own"))
        own = table.copy()
        own[sent.rows["item"]] += sent.arrays["item"]
        tuned = own @ alone.private["user"][0]
        np.testing.assert_allclose(scorers["own"].every(every)[u], tuned, atol=1e-5)


def test_a_phone_that_diverges_scores_with_what_it_received() -> None:
    part = split()
    rule = PerFedRec(FedMF(MF(N_ITEMS, 8, "squared")))
    server, store = learned(rule, part, 1)
    wild = PerFedRec(FedMF(MF(N_ITEMS, 8, "squared"), Sgd(1e4, 1e4, epochs=9)))
    scorers = mixture(wild, server, store, part.train, DRAWS)
    every = np.arange(N_USERS)
    np.testing.assert_array_equal(scorers["own"].every(every), scorers["cluster"].every(every))


def test_training_makes_every_part_better_than_chance() -> None:
    part, rule = split(), RULES["graph"]
    values = []
    for rounds in (0, 30):
        scorers = mixture(rule, *learned(rule, part, rounds), part.train, DRAWS)
        values.append({n: evaluate(s.every, part).means()["hr_at_10"] for n, s in scorers.items()})
    assert all(values[1][name] > 1.3 * values[0][name] for name in values[1]), values
