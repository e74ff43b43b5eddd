import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.models.evaluation.overlap import overlap_by_user
from droidloop.platform.draws import Draws


def test_overlap_is_the_share_of_common_items() -> None:
    a = np.array([[5, 4, 3, 2, 1, 0], [0, 1, 2, 3, 4, 5]])
    b = np.array([[5, 4, 0, 0, 0, 3], [0, 1, 2, 3, 4, 5]])
    assert overlap_by_user(a, b, 3).tolist() == [2 / 3, 1]


def test_seen_items_are_out_of_the_question() -> None:
    a, b = np.array([[9.0, 8.0, 1.0, 0.0]]), np.array([[8.0, 9.0, 0.0, 1.0]])
    assert overlap_by_user(a, b, 1) == 0
    assert overlap_by_user(a, b, 2) == 1
    assert overlap_by_user(a, b, 1, np.array([[True, True, False, False]])) == 0
    assert overlap_by_user(a, b, 1, np.array([[True, False, True, False]])) == 1


def test_a_user_with_few_unseen_items_counts_by_those_and_one_with_none_does_not() -> None:
    a, b = np.array([[1.0, 2.0, 3.0]] * 2), np.array([[3.0, 2.0, 1.0]] * 2)
    seen = np.array([[False, True, True], [True, True, True]])
    np.testing.assert_array_equal(overlap_by_user(a, b, 10, seen), [1, np.nan])


def test_ties_go_to_the_lower_item() -> None:
    """Untrained items score zero, all of them: the same ten must be taken on both sides."""
    a, b = np.zeros((1, 100)), np.zeros((1, 100))
    b[0, 50:] = -1
    assert overlap_by_user(a, b, 10) == 1


@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 12))
def test_overlap_is_that_of_sorted_lists(seed: int, n: int, k: int) -> None:
    a, b = (Draws(seed, side).integers(np.arange(4)[:, None], np.arange(n), 5) for side in "ab")
    depth = min(k, n)
    shares = []
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        best = [
            [i for _, i in sorted(zip(np.negative(row), range(n), strict=True))][:depth]
            for row in (x, y)
        ]
        shares.append(len(set(best[0]) & set(best[1])) / depth)
    assert overlap_by_user(a, b, k).tolist() == shares


@pytest.mark.parametrize("k", [0, -1])
def test_a_comparison_without_sense_is_misuse(k: int) -> None:
    with pytest.raises(ValueError, match="cannot compare the top"):
        overlap_by_user(np.zeros((1, 3)), np.zeros((1, 3)), k)
    with pytest.raises(ValueError, match="cannot compare the top"):
        overlap_by_user(np.zeros((1, 3)), np.zeros((1, 4)), 1)
