import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.fit import Hyperparameters, fit, scorer
from droidloop.models.graphs.propagation import Bipartite
from droidloop.models.interfaces.learning import Batch, init_all
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract
from tests.contracts.tiny import tiny_data

DRAWS = Draws(29, "lightgcn")
N_USERS, N_ITEMS = 30, 20
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
GRAPH = Bipartite.of(DATA, N_ITEMS)
FIVE = Bipartite.of(DATA.take(np.arange(5)), N_ITEMS)


class TestThreeLayers(RecommenderContract):
    recommender = LightGCN(FIVE, 8)
    n_items = N_ITEMS


class TestOneLayerLogLoss(RecommenderContract):
    recommender = LightGCN(FIVE, 5, layers=1, loss_name="log", l2=0.1)
    n_items = N_ITEMS


def batch() -> Batch:
    rows = np.arange(12)
    return Batch(
        users=torch.from_numpy(DRAWS.child("u").integers(rows, 0, N_USERS)),
        items=torch.from_numpy(DRAWS.child("i").integers(rows, 0, N_ITEMS)),
        labels=torch.linspace(1, 5, 12),
        negatives=torch.from_numpy(DRAWS.integers(rows[:, None], np.arange(2), N_ITEMS)),
    )


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
def test_without_layers_it_is_mf_bit_for_bit(loss_name: Loss) -> None:
    mf, gcn = MF(N_ITEMS, 6, loss_name, l2=0.01), LightGCN(GRAPH, 6, 0, loss_name, l2=0.01)
    chosen = Hyperparameters(epochs=3, lr=0.02, batch=16, negatives=2)
    trained = [
        fit(model, init_all(model, DRAWS, N_USERS), DATA, chosen, n_items=N_ITEMS, draws=DRAWS)
        for model in (mf, gcn)
    ]
    for name in ("user", "item"):
        assert torch.equal(trained[0][name], trained[1][name])
    assert torch.equal(mf.loss(trained[0], batch()), gcn.loss(trained[1], batch()))
    users = np.arange(N_USERS)
    scores = scorer(mf, trained[0], N_ITEMS)(users), scorer(gcn, trained[1], N_ITEMS)(users)
    assert scores[0].tobytes() == scores[1].tobytes()


def test_scores_are_the_products_of_the_vectors_that_ship() -> None:
    gcn = LightGCN(GRAPH, 6, 2)
    params = init_all(gcn, DRAWS, N_USERS)
    vectors, users, items = gcn.vectors(params), torch.arange(4)[:, None], torch.arange(N_ITEMS)
    expected = MF(N_ITEMS, 6).score(vectors, users, items)
    assert torch.equal(gcn.score(params, users, items), expected)
    assert not torch.allclose(vectors["item"], params["item"])


def test_l2_holds_the_vectors_before_propagation() -> None:
    plain, held = LightGCN(GRAPH, 6, 2), LightGCN(GRAPH, 6, 2, l2=0.5)
    params, b = init_all(plain, DRAWS, N_USERS), batch()
    assert b.negatives is not None
    user = params["user"][b.users].square().sum(-1)
    items = params["item"][torch.cat([b.items[:, None], b.negatives], 1)].square().sum(-1)
    extra = held.loss(params, b) - plain.loss(params, b)
    torch.testing.assert_close(extra, 0.25 * (3 * user + items.sum(-1)))


def test_a_user_without_items_scores_by_the_own_vector_alone() -> None:
    data = UserItems.bare(np.array([0, 1]), np.array([0, 2, 2]))
    gcn = LightGCN(Bipartite.of(data, 3), 4, 3)
    params = init_all(gcn, DRAWS, 2)
    torch.testing.assert_close(gcn.vectors(params)["user"][1], params["user"][1] / 4)
    torch.testing.assert_close(gcn.vectors(params)["item"][2], params["item"][2] / 4)


def test_training_orders_what_users_have_before_what_they_have_not() -> None:
    gcn = LightGCN(GRAPH, 8, 2)
    params = fit(
        *(gcn, init_all(gcn, DRAWS, N_USERS), DATA),
        Hyperparameters(epochs=60, lr=0.02, batch=64, negatives=4),
        n_items=N_ITEMS,
        draws=DRAWS,
    )
    scores, wins = scorer(gcn, params, N_ITEMS)(np.arange(N_USERS)), []
    for user in range(N_USERS):
        own = np.isin(np.arange(N_ITEMS), DATA.of(user))
        wins.append((scores[user, own][:, None] > scores[user, ~own]).ravel())
    assert np.concatenate(wins).mean() > 0.9


def test_another_table_can_stand_in_for_the_dense_one() -> None:
    gcn = LightGCN(GRAPH, 2, table=DenseTable(N_ITEMS, 2, name="film"))
    params = init_all(gcn, DRAWS, N_USERS)
    assert set(params) == {"user", "film"}
    assert gcn.score(params, torch.tensor([0]), torch.tensor([1])).shape == (1,)


def test_the_cost_adds_the_propagation_to_that_of_mf() -> None:
    mf, none, two = MF(N_ITEMS, 6), LightGCN(GRAPH, 6, 0), LightGCN(GRAPH, 6, 2)
    assert none.cost(10).flops == mf.cost(10).flops
    edges, nodes = 2 * GRAPH.n_edges, N_USERS + N_ITEMS
    assert two.cost(10).flops - mf.cost(10).flops == 4 * (3 * edges + 3 * nodes) * 6


def test_fewer_than_no_layers_are_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        LightGCN(GRAPH, 2, -1)
