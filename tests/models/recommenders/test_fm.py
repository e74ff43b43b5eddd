"""The factorisation machine: its fast form is the sum over pairs, on any table."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch

from droidloop.models.data.fields import Fields
from droidloop.models.interfaces.learning import Params, init_all
from droidloop.models.recommenders.fm import FM, METHOD
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.vector_model import on_tables
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.hashed import HashedTable
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.recommender import RecommenderContract

DRAWS = Draws(5, "fm")
FLAGS = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [1, 1, 1], [0, 0, 1], [0, 0, 0]], np.float32)
FIELDS = Fields(
    {"gender": np.array([0, 1, 1, 0, 1]), "age": np.array([2, 0, 1, 3, 3])},
    {"gender": 2, "age": 4},
    FLAGS,
)


class TestOnIds(RecommenderContract):
    recommender = FM(DenseTable(6, 4))
    n_items = 6


class TestOnFields(RecommenderContract):
    recommender = FM(HashedTable(6, 4, 3), FIELDS)
    n_items = 6


def made(**given: Any) -> tuple[FM, Params]:
    """Return a machine whose weights are not 0."""
    model = FM(DenseTable(6, 4, sd=0.5), FIELDS, sd=0.5, **given)
    params = init_all(model, DRAWS, 5)
    for name in params:
        if name.endswith("weight") or name == "offset":
            params[name] = torch.linspace(-1, 1, params[name].numel())
    return model, params


def by_pairs(params: Params, user: int, item: int) -> float:
    """Return the formula of the paper, feature by feature and pair by pair."""
    there = [("user", user, 1.0), ("item", item, 1.0)]
    there += [(name, int(values[user]), 1.0) for name, values in FIELDS.users.items()]
    flags = np.flatnonzero(FLAGS[item])
    there += [("flag", int(flag), 1 / len(flags)) for flag in flags]
    first = sum(float(params[f"{name}_weight"][k]) * x for name, k, x in there)
    pairs = sum(
        float(params[one][i] @ params[other][j]) * x * y
        for (one, i, x), (other, j, y) in combinations(there, 2)
    )
    return float(params["offset"][0]) + first + pairs


def test_the_fast_form_is_the_double_sum() -> None:
    model, params = made()
    scores = model.score(params, torch.arange(5)[:, None], torch.arange(6)[None])
    expected = [[by_pairs(params, user, item) for item in range(6)] for user in range(5)]
    np.testing.assert_allclose(scores.numpy(), expected, atol=1e-5)
    torch.testing.assert_close(model.every_score(params, torch.arange(5)), scores)


def test_without_weights_and_fields_it_is_matrix_factorisation() -> None:
    table = DenseTable(6, 4)
    fm, mf = FM(table), MF(6, 4, table=table)
    params = init_all(fm, DRAWS, 5)
    users, items = torch.arange(5)[:, None], torch.arange(6)[None]
    assert torch.equal(fm.score(params, users, items), mf.score(params, users, items))


def test_a_table_of_users_makes_them_shared() -> None:
    model, params = made(given={"user": DenseTable(5, 4, name="user")})
    assert not model.private
    assert model.init_private(DRAWS, np.arange(5)) == {}
    assert set(params) == {*model.dense, "item"}
    with pytest.raises(ValueError, match="field 'age'"):
        made(given={"age": DenseTable(9, 4, name="age")})


def test_on_other_tables_it_keeps_the_rest() -> None:
    model, _ = made()
    others = {"item": HashedTable(6, 4, 2), "age": HashedTable(4, 4, 2, name="age")}
    assert on_tables(model, others).tables == {**model.tables, **others}


@pytest.mark.parametrize("fields", [Fields(), FIELDS], ids=["ids", "fields"])
def test_what_ships_ranks_as_the_model_does(fields: Fields) -> None:
    model = FM(HashedTable(6, 4, 3, sd=0.5), fields, sd=0.5)
    params = init_all(model, DRAWS, 5)
    params["item_weight"] = torch.linspace(-1, 1, 6)
    shipped = model.ship(params)
    out = shipped.graph.run({"user": shipped.private[:, None, :]})["scores"][:, 0]
    scores = model.score(params, torch.arange(5)[:, None], torch.arange(6)[None]).numpy()
    constant = scores - out
    np.testing.assert_allclose(constant, constant[:, :1].repeat(6, axis=1), atol=1e-5)


def test_it_is_found_by_its_name() -> None:
    assert find("recommender", "fm") is METHOD
