import numpy as np
import pytest
import torch

from droidloop.models.interfaces.learning import Batch, init_all
from droidloop.models.numerics.losses import bpr, log_loss, squared_error
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract

DRAWS = Draws(2, "mf")


class TestLogMF(RecommenderContract):
    recommender = MF(7, 8)
    n_items = 7


class TestBprMF(RecommenderContract):
    recommender = MF(9, 3, "bpr", l2=0.1)
    n_items = 9


class TestSquaredMF(RecommenderContract):
    recommender = MF(9, 5, "squared", l2=0.01)
    n_items = 9


def batch() -> Batch:
    return Batch(
        users=torch.tensor([0, 1]),
        items=torch.tensor([2, 0]),
        labels=torch.tensor([3.0, 5.0]),
        negatives=torch.tensor([[1, 3], [2, -1]]),
    )


def test_the_score_is_the_product_of_the_vectors() -> None:
    params = {"user": torch.tensor([[1.0, 2.0]]), "item": torch.tensor([[3.0, 4.0], [0.5, 0.0]])}
    scores = MF(2, 2).score(params, torch.tensor([0]), torch.tensor([0, 1]))
    assert scores.tolist() == [11.0, 0.5]


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
def test_the_loss_is_that_of_the_item_and_of_its_negatives(loss_name: Loss) -> None:
    mf = MF(4, 6, loss_name)
    params = init_all(mf, DRAWS, 2)
    s = mf.score(params, torch.tensor([[0], [1]]), torch.tensor([[2, 1, 3], [0, 2, 2]]))
    one, zero = torch.tensor(1.0), torch.tensor(0.0)
    pieces = {
        "log": [
            log_loss(s[0, 0], one) + log_loss(s[0, 1], zero) + log_loss(s[0, 2], zero),
            log_loss(s[1, 0], one) + log_loss(s[1, 1], zero),
        ],
        "bpr": [bpr(s[0, 0], s[0, 1]) + bpr(s[0, 0], s[0, 2]), bpr(s[1, 0], s[1, 1])],
        "squared": [
            squared_error(s[0, 0], 3 * one) + s[0, 1] ** 2 + s[0, 2] ** 2,
            squared_error(s[1, 0], 5 * one) + s[1, 1] ** 2,
        ],
    }
    torch.testing.assert_close(mf.loss(params, batch()), torch.stack(pieces[loss_name]))


def test_l2_adds_half_the_square_norms_of_every_pair() -> None:
    plain, held = MF(4, 6), MF(4, 6, l2=0.5)
    params = init_all(plain, DRAWS, 2)
    user = params["user"].square().sum(-1)
    item = params["item"].square().sum(-1)
    norms = torch.stack(
        [3 * user[0] + item[2] + item[1] + item[3], 2 * user[1] + item[0] + item[2]]
    )
    extra = held.loss(params, batch()) - plain.loss(params, batch())
    torch.testing.assert_close(extra, 0.25 * norms)


def test_ratings_do_not_matter_to_the_log_loss() -> None:
    mf, b = MF(4, 6), batch()
    params = init_all(mf, DRAWS, 2)
    ones = Batch(b.users, b.items, torch.ones(2), b.negatives)
    assert torch.equal(mf.loss(params, b), mf.loss(params, ones))


def test_the_cost_is_what_the_docstring_counts() -> None:
    cost = MF(100, 32).cost(np.array([10, 1000]))
    assert np.asarray(cost.flops).tolist() == [10 * 200, 1000 * 200]
    assert np.asarray(cost.moved_bytes).tolist() == [
        10 * 384 + 10 * 512,
        1000 * 384 + 100 * 512,
    ]
    assert np.asarray(cost.ram_bytes).tolist() == [110 * 128 + 80, 200 * 128 + 8000]


def test_another_table_can_stand_in_for_the_dense_one() -> None:
    mf = MF(5, 2, table=DenseTable(5, 2, name="film"))
    assert set(init_all(mf, DRAWS, 3)) == {"user", "film"}


def test_a_table_of_the_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="6 x 2"):
        MF(5, 2, table=DenseTable(6, 2))


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(ValueError, match="hinge"):
        MF(5, 2, "hinge")  # type: ignore[arg-type]


@pytest.mark.parametrize("dim", [1, 3, 8, 33, 64])
@pytest.mark.parametrize("shared", [True, False])
def test_scores_of_many_users_are_those_of_each_bit_for_bit(dim: int, shared: bool) -> None:
    users, width = 900, 700
    model = MF(width, dim)
    params = init_all(model, DRAWS, users)
    ids = torch.arange(width)[None, :]
    items = ids if shared else (ids + torch.arange(users)[:, None]) % width
    scores = model.score(params, torch.arange(users)[:, None], items)
    assert scores.shape == (users, width)
    for user in (0, 1, 149, 150, 450, users - 1):
        alone = items if shared else items[user : user + 1]
        assert torch.equal(model.score(params, torch.tensor([[user]]), alone)[0], scores[user])
