from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.federated.fedncf import FedNCF
from droidloop.models.federated.folds import (
    Fold,
    fed_avg,
    gradient_descent,
    mf_fed_avg,
    plain_average,
)
from droidloop.models.fitting.fit import Hyperparameters, fit
from droidloop.models.interfaces.learning import Cohort, init_all
from droidloop.models.local.cohort import Engine
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.tiny import cohort_of, equal_data, received, tiny_data

DRAWS = Draws(34, "fedncf")
N_ITEMS, N_USERS = 30, 12
MODEL = NeuMF(N_ITEMS, 4, 6, (7, 3), sd=0.3)
GMF, MLP = NeuMF(N_ITEMS, 5, 0, (), sd=0.3), NeuMF(N_ITEMS, 0, 5, (9, 6, 4), sd=0.3)
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)


def server_of(model: NeuMF = MODEL) -> Fold:
    return mf_fed_avg(model.init(DRAWS), model.tables)


class TestNumbaEngine(ClientRuleContract):
    rule = FedNCF(MODEL, Sgd(0.05, 0.04, 2, 20, 0.01), threads=2)
    recommender = MODEL
    data = DATA
    server = staticmethod(server_of)


class TestTorchEngine(ClientRuleContract):
    rule = FedNCF(MODEL, Sgd(epochs=2, batch=20), engine="torch")
    recommender = MODEL
    data = DATA
    server = staticmethod(server_of)


def step(rule: FedNCF, round_: int = 0) -> tuple[Messages, Cohort]:
    cohort = cohort_of(rule.recommender, DRAWS, PHONES, round_)
    return rule.step(cohort, received(server_of(rule.recommender), PHONES), DATA, DRAWS), cohort


@pytest.mark.parametrize("model", [MODEL, GMF, MLP])
@pytest.mark.parametrize("sgd", [Sgd(0.05, 0.04), Sgd(0.05, 0.04, 3, 20, 0.01)])
def test_numba_equals_torch(model: NeuMF, sgd: Sgd) -> None:
    engines: tuple[Engine, Engine] = ("numba", "torch")
    (one, a), (other, b) = (step(FedNCF(model, sgd, engine=engine)) for engine in engines)
    assert one.arrays.keys() == other.arrays.keys() == {"item", *model.dense}
    for name, values in other.arrays.items():
        assert np.abs(values).max() > 1e-4
        np.testing.assert_allclose(one.arrays[name], values, atol=2e-6)
    np.testing.assert_allclose(a.private["user"], b.private["user"], atol=2e-6)


def test_central_equals_federated() -> None:
    """Full participation, one full batch, plain sum: one central full-batch step, to 1e-6."""
    lr = 0.05
    central = fit(
        *(MODEL, init_all(MODEL, DRAWS, N_USERS), DATA),
        Hyperparameters(epochs=1, lr=lr, batch=10**6, negatives=4, optimizer="sgd"),
        n_items=N_ITEMS,
        draws=DRAWS,
    )
    server, cohort = gradient_descent(MODEL.init(DRAWS), step=1.0), cohort_of(MODEL, DRAWS, PHONES)
    sent = FedNCF(MODEL, Sgd(lr, lr, batch=10**6)).step(
        cohort, received(server, PHONES), DATA, DRAWS
    )
    assert server.absorb(sent).all()
    server.close()
    for name, value in {**server.params, "user": torch.tensor(cohort.private["user"])}.items():
        torch.testing.assert_close(value, central[name], atol=1e-6, rtol=0)
    for name, start in MODEL.init(DRAWS).items():
        assert (server.params[name] - start).abs().max() > 1e-3


def test_the_three_aggregations_agree_where_they_should() -> None:
    """S47-S49: one local step, equal data, everybody takes part; the sum is divided by |U|."""
    data, results = equal_data(DRAWS, N_USERS, N_ITEMS, 4), []
    rule = FedNCF(MODEL, Sgd(batch=10**6))
    start = MODEL.init(DRAWS)
    for server in (gradient_descent(start, 1 / N_USERS), fed_avg(start), plain_average(start)):
        cohort = cohort_of(MODEL, DRAWS, PHONES)
        assert server.absorb(rule.step(cohort, received(server, PHONES), data, DRAWS)).all()
        server.close()
        results.append(server.params)
    for other in results[1:]:
        for name, value in results[0].items():
            torch.testing.assert_close(other[name], value, atol=1e-7, rtol=0)
    assert (results[0]["weight0"] - start["weight0"]).abs().max() > 1e-4


def test_a_message_holds_the_touched_rows_and_the_whole_network() -> None:
    messages, _ = step(FedNCF(MODEL))
    assert messages.weight.tolist() == DATA.counts.tolist()
    assert (messages.receiver == SERVER).all()
    for k in range(N_USERS):
        one = messages.take(np.array([k]))
        assert np.isin(DATA.of(k), one.rows["item"]).all()
        assert len(one.rows["item"]) <= 5 * len(DATA.of(k))
        assert {name: one.arrays[name].shape for name in MODEL.dense} == MODEL.dense


def test_a_phone_without_items_sends_a_network_that_did_not_move_and_weighs_nothing() -> None:
    messages, cohort = step(FedNCF(MODEL))
    fresh = cohort_of(MODEL, DRAWS, PHONES)
    empty = np.flatnonzero(DATA.counts == 0)
    for k in empty:
        one = messages.take(np.array([k]))
        assert all((array == 0).all() for array in one.arrays.values())
    np.testing.assert_array_equal(cohort.private["user"][empty], fresh.private["user"][empty])
    server = server_of()
    assert server.absorb(messages.take(empty)).all()
    server.close()
    assert all(torch.equal(server.params[name], value) for name, value in MODEL.init(DRAWS).items())


@pytest.mark.parametrize("engine", ["numba", "torch"])
def test_a_diverged_phone_keeps_its_user_vector_and_its_upload_is_refused(engine: Engine) -> None:
    rule = FedNCF(MODEL, Sgd(1e12, 1e12, epochs=9, batch=5), engine=engine)
    messages, cohort = step(rule)
    assert np.isfinite(cohort.private["user"]).all()
    server = server_of()
    accepted = server.absorb(messages)
    assert accepted[DATA.counts == 0].all()
    assert not accepted[DATA.counts > 1].any()
    server.close()
    assert all(value.isfinite().all() for value in server.params.values())


def test_a_user_with_one_item_trains_on_it() -> None:
    one = np.array([0])
    data = UserItems.bare(np.array([3]), np.array([0, 1]))
    cohort, fresh = cohort_of(MODEL, DRAWS, one), cohort_of(MODEL, DRAWS, one)
    messages = FedNCF(MODEL).step(cohort, received(server_of(), one), data, DRAWS)
    assert 3 in messages.rows["item"]
    assert (cohort.private["user"] != fresh.private["user"]).any()


def test_a_user_who_has_every_item_trains_without_negatives() -> None:
    one = np.array([0])
    data = UserItems.bare(np.arange(N_ITEMS), np.array([0, N_ITEMS]))
    messages = FedNCF(MODEL).step(
        cohort_of(MODEL, DRAWS, one), received(server_of(), one), data, DRAWS
    )
    assert all(np.isfinite(array).all() for array in messages.arrays.values())
    assert messages.rows["item"].tolist() == list(range(N_ITEMS))


def taste(n_users: int, n_items: int) -> UserItems:
    """Users of even and odd number like the even and the odd items; 6 are known of each."""
    rows = [DRAWS.child(u).choose(np.arange(u % 2, n_items, 2), 6, 0) for u in range(n_users)]
    return UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * 6)


def test_federated_training_recovers_groups_of_taste() -> None:
    n_users, n_items, model = 40, 20, NeuMF(20, 4, 4, (8, 4), sd=0.3)
    data = taste(n_users, n_items)
    rule, server = FedNCF(model, Sgd(lr_dense=0.01)), server_of(model)
    phones, users = np.arange(n_users), torch.arange(n_users)[:, None]
    cohort = cohort_of(model, DRAWS, phones)
    for round_ in range(100):
        cohort = replace(cohort, round=round_)
        server.absorb(rule.step(cohort, received(server, phones), data, DRAWS))
        server.close()
    params = {**server.params, "user": torch.from_numpy(cohort.private["user"])}
    scores = model.score(params, users, torch.arange(n_items)[None]).numpy()
    unseen = np.ones((n_users, n_items), bool)
    unseen[np.repeat(phones, 6), data.items] = False
    own = (phones[:, None] % 2 == np.arange(n_items) % 2) & unseen
    other = (phones[:, None] % 2 != np.arange(n_items) % 2) & unseen
    wins = (scores[:, :, None] > scores[:, None, :])[own[:, :, None] & other[:, None, :]]
    assert wins.mean() > 0.95


def test_row_wise_averaging_is_further_after_a_few_rounds_than_plain_averaging() -> None:
    """S37 on a small scale: rows that few clients touch do not move by a share of the clients."""
    n_users, n_items, model = 40, 20, NeuMF(20, 4, 4, (8, 4), sd=0.3)
    data = taste(n_users, n_items)
    phones, losses = np.arange(n_users), []
    for server in (
        mf_fed_avg(model.init(DRAWS), model.tables, row_step=1.0),
        fed_avg(model.init(DRAWS)),
    ):
        rule, cohort = FedNCF(model, Sgd(lr_dense=0.01)), cohort_of(model, DRAWS, phones)
        for round_ in range(20):
            cohort = replace(cohort, round=round_)
            server.absorb(rule.step(cohort, received(server, phones), data, DRAWS))
            server.close()
        params = {**server.params, "user": torch.from_numpy(cohort.private["user"])}
        every = model.score(params, torch.arange(n_users)[:, None], torch.arange(n_items)[None])
        labels = torch.zeros(n_users, n_items)
        labels[np.repeat(phones, 6), data.items] = 1
        losses.append(float((torch.nn.functional.softplus(every) - labels * every).mean()))
    assert losses[0] < losses[1]


def test_the_cost_counts_items_and_negatives_in_every_epoch() -> None:
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    once = FedNCF(MODEL).cost(cohort, DATA)
    thrice = FedNCF(MODEL, Sgd(epochs=3)).cost(cohort, DATA)
    np.testing.assert_array_equal(once.flops, MODEL.cost(5 * DATA.counts).flops)
    np.testing.assert_array_equal(thrice.flops, 3 * np.asarray(once.flops))
    np.testing.assert_array_equal(thrice.ram_bytes, once.ram_bytes)


def test_what_the_rule_cannot_train_is_refused() -> None:
    cohort, inbox = cohort_of(MODEL, DRAWS, PHONES), received(server_of(), PHONES)
    with pytest.raises(ValueError, match="'item'"):
        FedNCF(MODEL).step(cohort, None, DATA, DRAWS)
    other = NeuMF(N_ITEMS, 4, 6, (8, 3))
    with pytest.raises(ValueError, match="'weight0'"):
        FedNCF(other).step(cohort, inbox, DATA, DRAWS)
    with pytest.raises(ValueError, match="'half'"):
        FedNCF(MODEL, engine="half")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="0 negatives"):
        FedNCF(MODEL, negatives=0)
