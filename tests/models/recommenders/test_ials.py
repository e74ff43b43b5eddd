"""iALS, against the normal equations that it solves."""

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.recommenders.ials import IALS, sweep
from droidloop.platform.arrays import Array, FloatArray
from droidloop.platform.draws import Draws

USERS, ITEMS, DIM, ALPHA, L2 = 9, 14, 3, 2.0, 0.05
TRAIN = leave_one_out(generate(USERS, ITEMS, 5, Draws(4, "ials"))).train
HAD = union(TRAIN)
X = np.zeros((USERS, ITEMS))
X[np.repeat(np.arange(USERS), HAD.counts), HAD.items] = 1
C = 1 + ALPHA * X


def solved(c: FloatArray, x: FloatArray, table: Array) -> FloatArray:
    """Return the vectors that each row's normal equations have, with matrices of every pair."""
    rows = []
    for weights, had in zip(c, x, strict=True):
        matrix = (table.T * weights) @ table + L2 * weights.sum() * np.eye(table.shape[1])
        rows.append(np.linalg.solve(matrix, table.T @ (weights * had)))
    return np.array(rows)


def loss(users: Array, items: Array) -> float:
    squares = (users**2).sum(axis=1)[:, None] + (items**2).sum(axis=1)
    return float((C * ((X - users @ items.T) ** 2 + L2 * squares)).sum())


def test_one_sweep_is_each_rows_normal_equations() -> None:
    table = Draws(1, "table").normal(np.arange(ITEMS)[:, None], np.arange(DIM)).astype(np.float32)
    users = sweep(HAD, table, ALPHA, L2)
    assert users == pytest.approx(solved(C, X, table.astype(np.float64)), abs=1e-6)


def test_a_model_is_sweeps_of_users_and_of_items_in_turn() -> None:
    first = IALS(TRAIN, ITEMS, dim=DIM, alpha=ALPHA, l2=L2, draws=Draws(1, "a"), sweeps=1)
    assert first.items == pytest.approx(solved(C.T, X.T, first.users.astype(float)), abs=1e-6)
    more = IALS(TRAIN, ITEMS, dim=DIM, alpha=ALPHA, l2=L2, draws=Draws(1, "a"), sweeps=2)
    assert more.users == pytest.approx(solved(C, X, first.items.astype(float)), abs=1e-6)
    assert loss(more.users, more.items) < loss(first.users, first.items)
    assert more.scores(np.array([4])) == pytest.approx(more.users[4:5] @ more.items.T, abs=1e-6)


def test_who_has_nothing_is_nobody() -> None:
    nobody = UserItems.bare(np.array([1]), np.array([0, 0, 1]))
    table = np.ones((2, 1), np.float32)
    assert sweep(nobody, table, 1.0, 0.1)[0].tolist() == [0.0]
