"""A recommender of vectors that says nothing of its own is matrix factorisation."""

import numpy as np
import torch

from droidloop.models.interfaces.learning import init_all
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.vector_model import VectorModel
from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.hashed import HashedTable
from droidloop.platform.draws import Draws
from tests.contracts.recommender import RecommenderContract

TABLE = DenseTable(12, 6)
DRAWS = Draws(7, "vectors")


class TestOnADenseTable(RecommenderContract):
    recommender = VectorModel(TABLE)
    n_items = 12


class TestOnAHashedTable(RecommenderContract):
    recommender = VectorModel(HashedTable(12, 6, 5))
    n_items = 12


def test_its_scores_losses_and_costs_are_those_of_matrix_factorisation() -> None:
    model, mf = VectorModel(TABLE), MF(12, 6, table=TABLE)
    params = init_all(model, DRAWS, 5)
    assert all(torch.equal(value, init_all(mf, DRAWS, 5)[name]) for name, value in params.items())
    users, items = torch.arange(5)[:, None], torch.arange(12)[None, :]
    assert torch.equal(model.score(params, users, items), mf.score(params, users, items))
    batch = TestOnADenseTable().batch()
    torch.testing.assert_close(model.loss(params, batch), mf.loss(params, batch))
    assert model.cost(100) == mf.cost(100)


def test_what_ships_scores_as_the_model_does() -> None:
    model = VectorModel(TABLE)
    params = init_all(model, DRAWS, 5)
    shipped = model.ship(params)
    out = shipped.graph.run({"user": shipped.private[:, None, :]})["scores"][:, 0]
    users, items = torch.arange(5)[:, None], torch.arange(12)[None, :]
    np.testing.assert_allclose(out, model.score(params, users, items).numpy(), atol=1e-6)
