from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.pfedrec import PFedRec
from droidloop.models.interfaces.learning import init_all
from droidloop.models.local.cohort import Engine
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.mf import MF, Loss
from droidloop.models.recommenders.personal_score import PersonalScore
from droidloop.platform.draws import Draws
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.recommender import RecommenderContract
from tests.contracts.tiny import cohort_of, received, tiny_data

DRAWS = Draws(17, "pfedrec")
N_ITEMS, N_USERS = 30, 12
MODEL = PersonalScore(N_ITEMS, 6)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)


class TestPersonalScore(RecommenderContract):
    recommender = PersonalScore(9, 11, "log", l2=0.01)
    n_items = 9


class TestCompiledRule(ClientRuleContract):
    rule = PFedRec(MODEL, Sgd(epochs=2, batch=20), threads=2)
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


class TestTorchRule(ClientRuleContract):
    rule = PFedRec(MODEL, Sgd(epochs=2, batch=20), engine="torch")
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: row_average(MODEL.init(DRAWS)))


def test_the_score_is_the_layer_on_the_vector_of_the_item() -> None:
    params = {"score": torch.tensor([[1.0, 2.0, 0.5]]), "item": torch.tensor([[3.0, 4.0], [0, 1]])}
    scores = PersonalScore(2, 2).score(params, torch.tensor([0]), torch.tensor([0, 1]))
    assert scores.tolist() == [11.5, 2.5]


def test_all_phones_start_from_the_same_layer_without_a_bias() -> None:
    first = MODEL.init_private(DRAWS, PHONES)["score"]
    assert (first == first[0]).all()
    assert (first[:, -1] == 0).all()
    assert first[0, :-1].abs().min() > 0


@pytest.mark.parametrize("loss_name", ["log", "bpr", "squared"])
@pytest.mark.parametrize(("dim", "epochs", "batch", "l2"), [(8, 1, 256, 0.0), (13, 3, 16, 0.02)])
def test_numba_equals_torch(loss_name: Loss, dim: int, epochs: int, batch: int, l2: float) -> None:
    model = PersonalScore(N_ITEMS, dim, loss_name, l2=l2)
    results = []
    engines: tuple[Engine, Engine] = ("numba", "torch")
    for engine in engines:
        rule = PFedRec(model, Sgd(0.04, 0.03, epochs, batch), engine=engine)
        cohort = cohort_of(model, DRAWS, PHONES)
        sent = rule.step(cohort, received(row_average(model.init(DRAWS)), PHONES), DATA, DRAWS)
        results.append((sent.arrays["item"], cohort.private["score"]))
    (rows, score), (rows_in_torch, score_in_torch) = results
    np.testing.assert_allclose(rows, rows_in_torch, atol=2e-6)
    np.testing.assert_allclose(score, score_in_torch, atol=2e-6)
    moved = np.abs(score - model.init_private(DRAWS, PHONES)["score"].numpy())
    # a bias cancels out of every difference of two scores
    assert (moved[DATA.counts > 0, -1] > 1e-6).all() == (loss_name != "bpr")
    assert moved[:, :-1].max() > 1e-3


def test_a_bias_of_zero_that_does_not_move_makes_it_matrix_factorisation() -> None:
    mf = MF(N_ITEMS, 6)
    scores = MODEL.init_private(DRAWS, PHONES) | MODEL.init(DRAWS)
    users = {"user": scores["score"][:, :-1], "item": scores["item"]}
    every, items = torch.arange(N_USERS)[:, None], torch.arange(N_ITEMS)[None]
    assert torch.equal(MODEL.score(scores, every, items), mf.score(users, every, items))


def test_a_diverged_phone_keeps_its_score_function_and_its_upload_is_refused() -> None:
    model = PersonalScore(N_ITEMS, 6, "squared")
    cohort, server = cohort_of(model, DRAWS, PHONES), row_average(model.init(DRAWS))
    rule = PFedRec(model, Sgd(1e4, 1e4, epochs=9))
    messages = rule.step(cohort, received(server, PHONES), DATA, DRAWS)
    np.testing.assert_array_equal(
        cohort.private["score"], model.init_private(DRAWS, PHONES)["score"].numpy()
    )
    assert server.absorb(messages).tolist() == (DATA.counts == 0).tolist()
    server.close()
    assert server.params["item"].isfinite().all()


def test_users_without_items_or_with_one_are_handled() -> None:
    data = UserItems.bare(np.array([4]), np.array([0, 0, 1, 1]))
    phones = np.arange(3)
    cohort, server = cohort_of(MODEL, DRAWS, phones), row_average(MODEL.init(DRAWS))
    sent = PFedRec(MODEL).step(cohort, received(server, phones), data, DRAWS)
    assert np.diff(sent.offsets["item"]).tolist() == [0, len(sent.rows["item"]), 0]
    assert 4 in sent.rows["item"]
    assert server.absorb(sent).all()
    server.close()
    assert server.params["item"].isfinite().all()
    assert np.isfinite(cohort.private["score"]).all()


def test_the_cost_is_that_of_matrix_factorisation_and_of_the_bias() -> None:
    counts = np.array([1, 20, 300])
    cost, mf = MODEL.cost(counts), MF(N_ITEMS, 6).cost(counts)
    np.testing.assert_array_equal(np.asarray(cost.flops) - mf.flops, 2 * counts)
    np.testing.assert_array_equal(cost.moved_bytes, mf.moved_bytes)


def test_a_model_without_a_score_function_is_refused() -> None:
    with pytest.raises(TypeError, match="score function"):
        PFedRec(MF(N_ITEMS, 6))  # type: ignore[arg-type]


def test_training_goes_on_from_the_score_function_of_the_last_round() -> None:
    params, rule = init_all(MODEL, DRAWS, N_USERS), PFedRec(MODEL)
    server, cohort = row_average(MODEL.init(DRAWS)), cohort_of(MODEL, DRAWS, PHONES)
    for round_ in range(2):
        before = cohort.private["score"].copy()
        cohort = replace(cohort, round=round_)
        server.absorb(rule.step(cohort, received(server, PHONES), DATA, DRAWS))
        server.close()
        busy = DATA.counts > 0
        assert (cohort.private["score"] != before)[busy].any(axis=1).all()
    assert not torch.equal(server.params["item"], params["item"])
