from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives, touched_rows
from droidloop.models.federated.fedgcn import FedLightGCN
from droidloop.models.federated.fedmf import FedMF
from droidloop.models.federated.folds import row_average
from droidloop.models.graphs.ego_graphs import Neighbours, ego_graphs, ego_vectors
from droidloop.models.interfaces.learning import Cohort
from droidloop.models.local.sgd import Sgd, order_of
from droidloop.models.local.torch_sgd import train_phone
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.tiny import cohort_of, received, tiny_data

DRAWS = Draws(42, "fedgcn")
N_ITEMS, N_USERS, DIM = 30, 12, 6
MODEL = MF(N_ITEMS, DIM, "bpr")
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)
USERS = 7
DEGREES = np.full(N_ITEMS, USERS)


class TestOneLayer(ClientRuleContract):
    rule = FedLightGCN(MODEL, sgd=Sgd(epochs=2, batch=20))
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


class TestThreeLayersWithDegrees(ClientRuleContract):
    rule = FedLightGCN(MODEL, 3, item_users=USERS, threads=2)
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


def step(rule: FedLightGCN | FedMF, round_: int = 0) -> tuple[Messages, Cohort]:
    cohort = cohort_of(rule.recommender, DRAWS, PHONES, round_)
    inbox = received(row_average(rule.recommender.init(DRAWS)), PHONES)
    return rule.step(cohort, inbox, DATA, DRAWS), cohort


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
def test_without_layers_it_is_fedmf(loss_name: Loss) -> None:
    mf = MF(N_ITEMS, DIM, loss_name, l2=0.01)
    sgd = Sgd(epochs=2, batch=20)
    (one, a), (other, b) = step(FedLightGCN(mf, 0, sgd)), step(FedMF(mf, sgd))
    np.testing.assert_array_equal(one.rows["item"], other.rows["item"])
    np.testing.assert_allclose(one.arrays["item"], other.arrays["item"], atol=1e-6)
    np.testing.assert_allclose(a.private["user"], b.private["user"], atol=1e-6)


@pytest.mark.parametrize("loss_name", ["log", "bpr"])
def test_the_kernel_trains_as_torch_does_on_the_same_graph(loss_name: Loss) -> None:
    mf, sgd, layers = MF(N_ITEMS, DIM, loss_name, l2=0.01), Sgd(0.1, 0.05, 2, 20), 2
    sent, cohort = step(FedLightGCN(mf, layers, sgd, item_users=USERS))
    first = cohort_of(mf, DRAWS, PHONES).private["user"]
    table = mf.init(DRAWS)["item"].numpy()
    for phone in np.flatnonzero(DATA.counts)[:4]:
        one = np.array([phone])
        data = DATA.take(one)
        drawn = draw_negatives(data, 4, N_ITEMS, data, phones=one, draws=DRAWS, counter=0)
        ids, offsets = touched_rows(data, drawn, N_ITEMS)
        ego = ego_graphs(data, Neighbours.none(1, DIM), (ids.astype(np.int64), offsets), DEGREES)
        gcn = LightGCN(ego.graph, DIM, layers, loss_name, l2=0.01)
        params = {
            "user": torch.from_numpy(first[one]),
            "item": torch.from_numpy(table[ids]),
        }
        nobody = np.zeros(len(data.items), np.int64)
        trained = train_phone(
            *(gcn, params, ego.places(nobody, data.items), data.ratings),
            ego.places(nobody[:, None], drawn.astype(np.int64)).astype(np.int32),
            order_of(DRAWS, int(phone), 0, len(data.items), 2),
            sgd,
        )
        change = sent.take(one).arrays["item"]
        expected = trained["item"].numpy() - table[ids]
        np.testing.assert_allclose(change, expected, atol=3e-6)
        np.testing.assert_allclose(cohort.private["user"][one], trained["user"], atol=3e-6)
        assert np.abs(change).max() > 1e-3


def test_training_recovers_groups_of_taste_for_users_that_never_trained() -> None:
    """Users of even and odd number like even and odd items; the last two only look on."""
    mf, n_users, n_items = MF(20, 8, "bpr"), 40, 20
    rows = [DRAWS.child(u).choose(np.arange(u % 2, n_items, 2), 6, 0) for u in range(n_users)]
    data = UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * 6)
    rule, server = FedLightGCN(mf), row_average(mf.init(DRAWS))
    active, everybody = np.arange(n_users - 2), cohort_of(mf, DRAWS, np.arange(n_users))
    cohort = cohort_of(mf, DRAWS, active)
    for round_ in range(60):
        cohort = replace(cohort, round=round_)
        server.absorb(rule.step(cohort, received(server, active), data.take(active), DRAWS))
        server.close()
    table, user = server.params["item"].numpy(), everybody.private["user"]
    vectors, items = ego_vectors(data, user, table, 1)
    for name, scores in (("graph", vectors @ items.T), ("vector", user @ table.T)):
        wins = []
        for u in (n_users - 2, n_users - 1):
            unseen = ~np.isin(np.arange(n_items), data.of(u))
            own = (np.arange(n_items) % 2 == u % 2) & unseen
            other = (np.arange(n_items) % 2 != u % 2) & unseen
            wins.append((scores[u, own][:, None] > scores[u, other]).mean())
        assert (np.mean(wins) > 0.95) == (name == "graph")


def test_a_diverged_phone_keeps_its_user_vector_and_its_upload_is_refused() -> None:
    rule = FedLightGCN(MF(N_ITEMS, DIM, "squared"), 1, Sgd(1e4, 1e4, epochs=9))
    messages, cohort = step(rule)
    fresh = cohort_of(rule.recommender, DRAWS, PHONES)
    np.testing.assert_array_equal(cohort.private["user"], fresh.private["user"])
    server = row_average(MODEL.init(DRAWS))
    assert server.absorb(messages).tolist() == (DATA.counts == 0).tolist()


def test_propagation_costs_more_with_more_layers() -> None:
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    none, one, two = (FedLightGCN(MODEL, k).cost(cohort, DATA) for k in (0, 1, 2))
    np.testing.assert_array_equal(none.flops, FedMF(MODEL).cost(cohort, DATA).flops)
    np.testing.assert_array_equal(
        2 * (np.asarray(one.flops) - none.flops), np.asarray(two.flops) - none.flops
    )


def test_settings_that_teach_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="0 negatives"):
        FedLightGCN(MODEL, negatives=0)
    with pytest.raises(ValueError, match="-1 layers"):
        FedLightGCN(MODEL, -1)
