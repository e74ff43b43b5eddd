import numpy as np
import pytest
import torch

from droidloop.models.fitting.fit import Hyperparameters, fit, scorer
from droidloop.models.interfaces.learning import Batch, init_all
from droidloop.models.numerics.losses import log_loss
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract
from tests.contracts.tiny import tiny_data

DRAWS = Draws(21, "neumf")


class TestNeuMF(RecommenderContract):
    recommender = NeuMF(7, 8, 16, (16, 8), sd=0.3)
    n_items = 7


class TestOddWidths(RecommenderContract):
    recommender = NeuMF(9, 3, 5, (7, 6, 3), sd=0.3)
    n_items = 9


class TestGMF(RecommenderContract):
    recommender = NeuMF(9, 5, 0, (), sd=0.3)
    n_items = 9


class TestMLP(RecommenderContract):
    recommender = NeuMF(9, 0, 4, (6, 2), sd=0.3)
    n_items = 9


def test_the_score_is_the_papers_formula() -> None:
    model = NeuMF(6, 3, 4, (5, 2), sd=0.5)
    params = init_all(model, DRAWS, 3)
    params["bias0"] = torch.linspace(-0.1, 0.1, 5)
    params["out_bias"] = torch.tensor([0.3])
    p, q = params["user"][2], params["item"][4]
    x = torch.cat([p[3:], q[3:]])
    for k in range(2):
        x = torch.relu(x @ params[f"weight{k}"] + params[f"bias{k}"])
    expected = torch.cat([p[:3] * q[:3], x]) @ params["out"] + 0.3
    score = model.score(params, torch.tensor([2]), torch.tensor([4]))
    torch.testing.assert_close(score, expected[None])


def test_gmf_starts_as_matrix_factorisation() -> None:
    model = NeuMF(6, 3, 0, (), sd=0.5)
    params = init_all(model, DRAWS, 3)
    users, items = torch.arange(3), torch.arange(6)
    expected = params["user"] @ params["item"].T
    torch.testing.assert_close(model.score(params, users[:, None], items), expected)


def test_the_loss_is_that_of_the_item_and_of_its_negatives() -> None:
    model = NeuMF(4, 2, 3, (4,), sd=0.5)
    params = init_all(model, DRAWS, 2)
    negatives = torch.tensor([[1, 3], [2, -1]])
    batch = Batch(torch.tensor([0, 1]), torch.tensor([2, 0]), torch.ones(2), negatives)
    s = model.score(params, torch.tensor([[0], [1]]), torch.tensor([[2, 1, 3], [0, 2, 2]]))
    one, zero = torch.tensor(1.0), torch.tensor(0.0)
    first = log_loss(s[0, 0], one) + log_loss(s[0, 1], zero) + log_loss(s[0, 2], zero)
    second = log_loss(s[1, 0], one) + log_loss(s[1, 1], zero)
    torch.testing.assert_close(model.loss(params, batch), torch.stack([first, second]))


@pytest.mark.parametrize("shape", [(4, 8, (8, 4)), (8, 0, ()), (0, 8, (8, 4))])
def test_central_training_orders_what_users_have_before_what_they_have_not(
    shape: tuple[int, int, tuple[int, ...]],
) -> None:
    n_users, n_items = 30, 20
    model, data = NeuMF(n_items, *shape, sd=0.1), tiny_data(DRAWS, n_users, n_items)
    params = fit(
        *(model, init_all(model, DRAWS, n_users), data),
        Hyperparameters(epochs=60, lr=0.02, batch=64, negatives=4),
        n_items=n_items,
        draws=DRAWS,
    )
    scores = scorer(model, params, n_items)(np.arange(n_users))
    own = np.zeros((n_users, n_items), bool)
    own[np.repeat(np.arange(n_users), data.counts), data.items] = True
    wins = [
        float((row[mine][:, None] > row[~mine]).mean())
        for row, mine in zip(scores, own, strict=True)
        if mine.any()
    ]
    assert np.mean(wins) > 0.9


def test_the_dense_parameters_are_those_it_starts_with() -> None:
    model = NeuMF(5, 2, 3, (4, 2))
    shapes = {name: tuple(value.shape) for name, value in model.init(DRAWS).items()}
    assert shapes == {"item": (5, 5), **model.dense}
    assert model.dense == {
        "weight0": (6, 4),
        "bias0": (4,),
        "weight1": (4, 2),
        "bias1": (2,),
        "out": (4,),
        "out_bias": (1,),
    }


def test_the_cost_is_what_the_docstring_counts() -> None:
    cost = NeuMF(100, 8, 16, (16, 8)).cost(np.array([10, 1000]))
    weights = 16 * 16 + 16 + 16 * 8 + 8 + 16 + 1  # the item's half of the first layer, and the rest
    flops = 6 * weights + 9 * 8 + 2 * 24 + 8
    assert np.asarray(cost.flops).tolist() == [10 * flops, 1000 * flops]
    moved = 16 * 24 + 12 * weights
    rows = 16 * 24
    assert np.asarray(cost.moved_bytes).tolist() == [10 * (moved + rows), 1000 * moved + 100 * rows]
    copies = 16 * (weights + 16 * 16)
    assert np.asarray(cost.ram_bytes).tolist() == [
        96 * (100 + 20) + copies + 80,
        96 * (100 + 200) + copies + 8000,
    ]


@pytest.mark.parametrize("shape", [(8, 16, ()), (8, 0, (4,)), (-1, 4, (4,)), (8, 4, (4, 0))])
def test_shapes_that_are_no_network_are_refused(shape: tuple[int, int, tuple[int, ...]]) -> None:
    with pytest.raises(ValueError, match="layers"):
        NeuMF(5, *shape)
