"""EASE, against its definition."""

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.recommenders.ease import EASE, LARGEST, require_size
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError


@pytest.mark.parametrize(("users", "items"), [(9, 6), (6, 9)])
def test_it_is_its_closed_form_on_a_small_matrix(users: int, items: int) -> None:
    """B = I - P / diag(P) with P = (X^T X + l2 I)^-1: 0 on the diagonal; scores are X B."""
    train = leave_one_out(generate(users, items, 5, Draws(3, "ease"))).train
    x = np.zeros((users, items))
    x[np.repeat(np.arange(users), train.counts), train.items] = 1
    p = np.linalg.inv(x.T @ x + 2.5 * np.eye(items))
    b = np.eye(items) - p / np.diag(p)
    assert np.abs(np.diag(b)).max() < 1e-15
    found = EASE(train, items, 2.5).scores(np.arange(users))
    assert found == pytest.approx((x @ b).astype(np.float32), abs=1e-6)
    assert found.dtype == np.float32


def test_an_item_says_nothing_of_itself() -> None:
    """Of a user with one item that nobody shares, that item scores 0."""
    alone = UserItems.bare(np.array([0, 1, 2, 1, 2]), np.array([0, 1, 3, 5]))
    assert EASE(alone, 3, 1.0).scores(np.array([0])).tolist() == [[0, 0, 0]]


def test_what_is_too_large_is_refused_in_one_line() -> None:
    require_size(10**6, LARGEST)
    with pytest.raises(DataError, match=f"'ease' inverts a matrix of {LARGEST + 1} rows"):
        require_size(10**6, LARGEST + 1)
    with pytest.raises(ValueError, match="l2 must be above 0, not 0"):
        EASE(UserItems.bare(np.array([0]), np.array([0, 1])), 1, 0.0)
