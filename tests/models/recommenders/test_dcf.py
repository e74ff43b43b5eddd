"""DCF, against the sum that it lowers and every pair of it."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.data.interactions import union
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.recommenders.dcf import DCF, DCFSetting, loss_of, nearest_spread, turned
from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws

DRAWS = Draws(4, "dcf")
USERS, ITEMS = 60, 80
TRAIN = leave_one_out(generate(USERS, ITEMS, 12, DRAWS)).train
HAD = union(TRAIN)
SETTING = DCFSetting(8, 5.0, 0.5, -0.25, alpha=3.0, beta=2.0)


def signs(rows: int, name: str) -> FloatArray:
    drawn = DRAWS.child(name).normal(np.arange(rows)[:, None], np.arange(8))
    return np.where(drawn >= 0, 1.0, -1.0)


def spread(codes: FloatArray) -> FloatArray:
    return nearest_spread(codes, DRAWS)


def pair_by_pair(users: FloatArray, items: FloatArray, x: FloatArray, y: FloatArray) -> float:
    had = np.zeros((USERS, ITEMS))
    had[np.repeat(np.arange(USERS), HAD.counts), HAD.items] = 1
    squares = (1 + 5 * had) * (0.75 * 8 * had - 0.25 * 8 - users @ items.T) ** 2
    return float(squares.sum() - 2 * 3 * np.trace(users.T @ x) - 2 * 2 * np.trace(items.T @ y))


def test_the_sum_is_that_of_every_pair() -> None:
    users, items = signs(USERS, "users"), signs(ITEMS, "items")
    x, y = spread(users), spread(items)
    found = loss_of(HAD, users, items, SETTING, x, y)
    assert found == pytest.approx(pair_by_pair(users, items, x, y))


def test_no_bit_of_a_user_can_turn_and_lower_the_sum() -> None:
    users, items = signs(USERS, "users"), signs(ITEMS, "items")
    x, y = spread(users), spread(items)
    for _ in range(20):
        users = turned(HAD, users, items, (5.0, 4.0, -2.0), 3.0 * x)
    least = pair_by_pair(users, items, x, y)
    for user in range(0, USERS, 7):
        for bit in range(8):
            other = users.copy()
            other[user, bit] *= -1
            assert pair_by_pair(other, items, x, y) >= least - 1e-6


def test_the_sum_never_rises_and_every_entry_is_a_sign() -> None:
    model = DCF(TRAIN, ITEMS, SETTING, DRAWS)
    assert len(model.losses) > 2
    assert (np.diff(model.losses) <= 1e-6).all()
    assert model.losses[-1] < model.losses[0]
    assert set(np.unique(model.users)) == set(np.unique(model.items)) == {-1.0, 1.0}


def test_scores_are_the_products_of_the_codes() -> None:
    model = DCF(TRAIN, ITEMS, SETTING, DRAWS)
    assert np.array_equal(model.scores(np.array([3, 5])), model.users[[3, 5]] @ model.items.T)


def test_what_codes_are_held_to_is_balanced_decorrelated_and_nearest() -> None:
    codes = signs(USERS, "users")
    codes[:, 1], codes[:, 2] = codes[:, 0], 1  # a bit twice, and one that all have
    x = spread(codes)
    assert x.sum(axis=0) == pytest.approx(np.zeros(8), abs=1e-9)
    assert x.T @ x == pytest.approx(USERS * np.eye(8), abs=1e-9)
    assert np.trace(codes.T @ x) > np.trace(codes.T @ spread(signs(USERS, "others")))


def test_held_to_them_bits_are_nearer_to_half_and_half() -> None:
    free = replace(SETTING, others=0.0, alpha=0.0, beta=0.0)
    held = replace(SETTING, others=0.0, alpha=500.0, beta=500.0)
    lean = [abs(DCF(TRAIN, ITEMS, one, DRAWS).users.mean(axis=0)).mean() for one in (free, held)]
    assert lean[1] < lean[0]


def test_the_same_draws_give_the_same_codes() -> None:
    first, again = (DCF(TRAIN, ITEMS, SETTING, DRAWS) for _ in range(2))
    assert np.array_equal(first.items, again.items)


def test_more_bits_than_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="balanced"):
        nearest_spread(np.ones((8, 8)), DRAWS)
