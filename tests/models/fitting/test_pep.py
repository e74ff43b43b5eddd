"""PEP: thresholds leave fewer and fewer numbers; exactly the share is trained again."""

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.pep import pep, search
from droidloop.models.fitting.retrain import largest, left, masked_model, retrain
from droidloop.models.fitting.sized import train_sized
from droidloop.models.fitting.torch_descent import implicit
from droidloop.models.fitting.training import Training
from droidloop.models.interfaces.learning import init_all
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.masked import MaskedTable
from droidloop.platform.errors import DroidloopError
from tests.models.fitting.judged_world import DIM, DRAWS, ITEMS, USERS, world

WORLD = world()
NAMES = ["item", "user", "age"]


def test_fewer_numbers_are_left_and_training_again_makes_up_for_it() -> None:
    model = WORLD.model()
    first = WORLD.first(model)
    hunt, again = WORLD.training(40, 0.1, 1e-3), WORLD.training(12)
    fitted, found = pep(model, first, NAMES, 0.3, again, WORLD.judge, hunt=hunt, first=-5.0)
    assert found.shares == sorted(found.shares, reverse=True)
    assert sum(int(one.sum()) for one in found.masks.values()) == int(0.3 * 103 * 8)
    assert left(found.masks) == pytest.approx(0.3, abs=0.002)
    for name in NAMES:
        table = fitted.model.tables[name]
        assert isinstance(table, MaskedTable)
        there = fitted.params[name].numpy() != 0
        np.testing.assert_array_equal(there, found.masks[name])
    reached, before = (WORLD.judge(one.model)(one.params) for one in (fitted, found.before))
    assert reached > 0.7
    assert reached > before
    assert fitted.nbytes == sum(one.nbytes for one in fitted.model.tables.values())
    assert fitted.search_s > 0


def test_training_again_begins_where_training_began() -> None:
    model = WORLD.model()
    first = WORLD.first(model)
    masks = largest({name: np.abs(first[name].numpy()) for name in NAMES}, 0.5)
    _, params = masked_model(model, first, masks)
    for name in NAMES:
        there = torch.from_numpy(masks[name])
        assert torch.equal(params[name], first[name] * there)
    assert torch.equal(params["user_weight"], first["user_weight"])


def test_thresholds_that_leave_too_much_are_refused_with_what_to_do() -> None:
    model = WORLD.model()
    with pytest.raises(DroidloopError, match="give more epochs"):
        search(model, WORLD.first(model), NAMES, 0.1, WORLD.training(1))


def test_the_largest_are_exactly_the_share_of_all_together() -> None:
    masks = largest({"a": np.array([[3.0, 1.0]]), "b": np.array([[2.0, 2.0], [0.0, 5.0]])}, 0.5)
    assert masks["a"].tolist() == [[True, False]]
    assert masks["b"].tolist() == [[True, False], [False, True]]


def test_fitters_take_matrix_factorisation_on_implicit_events_as_well() -> None:
    events = UserItems.bare(WORLD.train.items.astype(np.int64), WORLD.train.offsets)
    feed = implicit(events, 256, 2, ITEMS, DRAWS)
    training, model = Training(feed, DRAWS, 2, 0.05), MF(ITEMS, DIM)
    first = init_all(model, DRAWS, USERS)
    masks = largest({"item": np.abs(first["item"].numpy())}, 0.25)
    fitted = retrain(model, first, masks, training)
    np.testing.assert_array_equal(fitted.params["item"].numpy() != 0, masks["item"])
    assert not torch.equal(fitted.params["user"], first["user"])
    sized = train_sized(
        *(model, first, {"item": np.arange(ITEMS) % 2 + 3}, training, lambda _: lambda _: 0.0)
    )
    assert sized.nbytes == 4 * (20 * 3 + 20 * 4 + 7 * DIM) + ITEMS
