from dataclasses import replace

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.federated.adaptive import adam
from droidloop.models.federated.fcf import FCF
from droidloop.models.federated.folds import row_average
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from tests.contracts.client_rule import ClientRuleContract
from tests.contracts.tiny import cohort_of, received, tiny_data

DRAWS = Draws(29, "fcf")
N_ITEMS, N_USERS, DIM = 30, 12, 5
MODEL = MF(N_ITEMS, DIM, "squared")
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
PHONES = np.arange(N_USERS)
ALPHA, L2, STEP = 2.0, 0.3, 0.05


class TestFCF(ClientRuleContract):
    rule = FCF(MODEL, ALPHA, L2)
    recommender = MODEL
    data = DATA
    server = staticmethod(lambda: adam(MODEL.init(DRAWS), STEP, l2=L2))
    random = False


class Central:
    """The same J minimised in one place, in float64, with matrices of all users and items."""

    def __init__(self, table: Array, data: UserItems) -> None:
        self.q = table.astype(np.float64)
        self.r = np.zeros((data.n_users, len(table)))
        self.c = np.ones_like(self.r)
        owners = np.repeat(np.arange(data.n_users), data.counts)
        self.r[owners, data.items] = 1
        np.add.at(self.c, (owners, data.items), ALPHA * data.ratings)
        self.p = np.zeros((data.n_users, table.shape[1]))
        self.m, self.v, self.t = np.zeros_like(self.q), np.zeros_like(self.q), 0

    def loss(self, p: Array, q: Array) -> float:
        errors = self.c * (self.r - p @ q.T) ** 2
        return float(errors.sum() + L2 * ((p**2).sum() + (q**2).sum()))

    def step(self) -> None:
        for u in range(len(self.p)):
            weighted = self.q.T * self.c[u]
            self.p[u] = np.linalg.solve(weighted @ self.q + L2 * np.eye(DIM), weighted @ self.r[u])
        slope = -2 * (self.c * (self.r - self.p @ self.q.T)).T @ self.p + 2 * L2 * self.q
        self.t += 1
        self.m = 0.9 * self.m + 0.1 * slope
        self.v = 0.999 * self.v + 0.001 * slope**2
        self.q -= (
            STEP * (self.m / (1 - 0.9**self.t)) / (np.sqrt(self.v / (1 - 0.999**self.t)) + 1e-8)
        )


def test_with_everybody_each_round_the_trajectory_is_the_central_one_to_1e_6() -> None:
    central = Central(MODEL.init(DRAWS)["item"].numpy(), DATA)
    rule, server = FCF(MODEL, ALPHA, L2), adam(MODEL.init(DRAWS), STEP, l2=L2)
    cohort = cohort_of(MODEL, DRAWS, PHONES)
    losses = []
    for round_ in range(15):
        cohort = replace(cohort, round=round_)
        messages = rule.step(cohort, received(server, PHONES), DATA, DRAWS)
        order = DRAWS.order(np.arange(N_USERS), round_)  # arrivals in any order
        assert server.absorb(messages.take(order)).all()
        server.close()
        central.step()
        np.testing.assert_allclose(cohort.private["user"], central.p, atol=1e-6)
        np.testing.assert_allclose(server.params["item"].numpy(), central.q, atol=1e-6)
        losses.append(central.loss(central.p, central.q))
    assert losses[-1] < 0.8 * losses[0]


def test_the_user_vector_is_the_minimum_and_the_uploads_are_the_gradient() -> None:
    table = MODEL.init(DRAWS)["item"].numpy()
    central, cohort = Central(table, DATA), cohort_of(MODEL, DRAWS, PHONES)
    server = row_average(MODEL.init(DRAWS))
    messages = FCF(MODEL, ALPHA, L2).step(cohort, received(server, PHONES), DATA, DRAWS)
    p = torch.from_numpy(cohort.private["user"].astype(np.float64)).requires_grad_()
    q = torch.from_numpy(central.q).requires_grad_()
    c, r = torch.from_numpy(central.c), torch.from_numpy(central.r)
    fit = (c * (r - p @ q.T) ** 2).sum()
    (fit + L2 * p.square().sum()).backward()  # type: ignore[no-untyped-call]
    assert p.grad is not None
    assert q.grad is not None
    assert p.grad.abs().max() < 1e-4
    sent = messages.arrays["item"].reshape(N_USERS, N_ITEMS, DIM).astype(np.float64).sum(axis=0)
    np.testing.assert_allclose(sent, q.grad.numpy(), atol=1e-4)
    assert np.abs(sent).max() > 0.1


def test_a_user_without_items_has_the_vector_zero_and_pulls_at_nothing() -> None:
    empty = np.flatnonzero(DATA.counts == 0)
    cohort = cohort_of(MODEL, DRAWS, empty)
    server = adam(MODEL.init(DRAWS))
    messages = FCF(MODEL).step(cohort, received(server, empty), DATA.take(empty), DRAWS)
    assert (cohort.private["user"] == 0).all()
    assert (messages.arrays["item"] == 0).all()
    assert server.absorb(messages).all()


def test_an_item_that_came_twice_counts_twice() -> None:
    one = np.array([0])
    twice = UserItems(np.array([3, 3, 4]), np.array([0, 3]), np.zeros(3, np.int64), np.ones(3))
    double = UserItems(
        np.array([3, 4]), np.array([0, 2]), np.zeros(2, np.int64), np.array([2.0, 1.0])
    )
    inbox = received(adam(MODEL.init(DRAWS)), one)
    sent = [FCF(MODEL).step(cohort_of(MODEL, DRAWS, one), inbox, d, DRAWS) for d in (twice, double)]
    np.testing.assert_array_equal(sent[0].arrays["item"], sent[1].arrays["item"])


def test_a_table_that_is_no_number_changes_no_vector_and_no_table() -> None:
    params = {"item": MODEL.init(DRAWS)["item"].clone()}
    params["item"][7, 2] = torch.nan
    cohort, fresh = cohort_of(MODEL, DRAWS, PHONES), cohort_of(MODEL, DRAWS, PHONES)
    messages = FCF(MODEL).step(cohort, received(adam(params), PHONES), DATA, DRAWS)
    np.testing.assert_array_equal(cohort.private["user"], fresh.private["user"])
    server = adam(MODEL.init(DRAWS))
    assert not server.absorb(messages).any()
    server.close()
    assert server.params["item"].isfinite().all()


def test_the_number_of_threads_changes_nothing() -> None:
    data, phones = tiny_data(DRAWS, 150, N_ITEMS), np.arange(150)
    inbox = received(adam(MODEL.init(DRAWS)), phones)
    sent = [
        FCF(MODEL, threads=threads).step(cohort_of(MODEL, DRAWS, phones), inbox, data, DRAWS)
        for threads in (1, 3)
    ]
    np.testing.assert_array_equal(sent[0].arrays["item"], sent[1].arrays["item"])


def test_the_cost_is_what_the_docstring_counts() -> None:
    cost = FCF(MODEL).cost(cohort_of(MODEL, DRAWS, PHONES), DATA)
    every = 30 * 5 * 6 + 125 // 3 + 50 + 30 * 18
    assert np.asarray(cost.flops).tolist() == (every + 30 * DATA.counts).tolist()
    assert np.asarray(cost.moved_bytes).tolist() == (12 * 150 + 20 * DATA.counts).tolist()
    assert np.asarray(cost.ram_bytes).tolist() == [8 * 150 + 400] * N_USERS


def test_settings_without_a_solution_are_refused() -> None:
    with pytest.raises(ValueError, match="l2"):
        FCF(MODEL, l2=0.0)
    with pytest.raises(ValueError, match="alpha"):
        FCF(MODEL, alpha=-1.0)
    with pytest.raises(ValueError, match="one table"):
        FCF(MODEL).step(cohort_of(MODEL, DRAWS, PHONES), None, DATA, DRAWS)
    assert isinstance(MODEL.items, DenseTable)
