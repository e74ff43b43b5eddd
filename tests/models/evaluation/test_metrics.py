"""Ranks and lists, against brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.evaluation.metrics import (
    UserMetrics,
    full_ranks,
    sampled_ranks,
    top_lists,
)
from droidloop.platform.draws import Draws


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_means_are_over_users() -> None:
    metrics = UserMetrics(ints(3, 8), {"hr_at_10": np.array([1.0, 0.0])})
    assert metrics.means() == {"hr_at_10": 0.5}


def by_hand(scores: list[int], held: list[int], known: list[int], strict: bool) -> list[int]:
    """Sort all that is ranked; on a tie rivals come before held-out items, or after if strict."""
    ranked = [item for item in range(len(scores)) if item in held or item not in known]
    order = sorted(
        ranked,
        key=lambda item: (
            -scores[item],
            (item in held) != strict,
            held.index(item) if item in held else 0,
        ),
    )
    return [order.index(item) + 1 for item in held]


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.integers(0, 4), min_size=8, max_size=8),
    st.lists(st.integers(0, 7), min_size=1, max_size=8, unique=True),
    st.lists(st.integers(0, 7), max_size=8),
    st.booleans(),
)
def test_full_ranks_equal_sorting_by_hand(
    scores: list[int], held: list[int], known: list[int], strict: bool
) -> None:
    table = np.array([scores, scores[::-1]], np.float32)
    ranks = full_ranks(
        table,
        ints(*held, *held),
        ints(0, len(held), 2 * len(held)),
        ints(*known, *known),
        ints(0, len(known), 2 * len(known)),
        strict,
    )
    expected = by_hand(scores, held, known, strict) + by_hand(scores[::-1], held, known, strict)
    assert ranks.tolist() == expected


@pytest.mark.parametrize("strict", [False, True])
def test_sampled_ranks_equal_full_ranks_when_all_other_items_are_candidates(strict: bool) -> None:
    scores = np.floor(Draws(1, "scores").uniform(np.arange(20)[:, None], np.arange(30)) * 9)
    table = scores.astype(np.float32)
    held = np.tile(np.arange(3), 20)
    full = full_ranks(table, held, np.arange(21) * 3, ints(), np.zeros(21, np.int64), strict)
    sampled = sampled_ranks(table, np.full(20, 3), np.full(20, 27), strict)
    assert sampled.tolist() == full.tolist()


def test_padding_is_not_ranked() -> None:
    table = np.array([[1, 0, 9, 9], [1, 3, 0, 2]], np.float32)
    assert sampled_ranks(table, ints(1, 1), ints(1, 3)).tolist() == [1, 3]


def test_scores_that_are_not_numbers_are_refused() -> None:
    table = np.array([[1, 0], [1, np.nan]], np.float32)
    with pytest.raises(ValueError, match="scores of row 1 contain NaN"):
        sampled_ranks(table, ints(1, 1), ints(1, 1))
    with pytest.raises(ValueError, match="scores of row 1 contain NaN"):
        full_ranks(table, ints(0, 0), ints(0, 1, 2), ints(), ints(0, 0, 0))


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(st.integers(0, 4), min_size=8, max_size=8),
    st.lists(st.integers(0, 7), max_size=2, unique=True),
    st.lists(st.integers(0, 7), max_size=8),
    st.integers(1, 9),
)
def test_lists_are_those_of_sorting_by_hand(
    scores: list[int], held: list[int], known: list[int], k: int
) -> None:
    table = np.array([scores, scores[::-1]], np.float32)
    ragged = [(ints(*some, *some), ints(0, len(some), 2 * len(some))) for some in (held, known)]
    lists = top_lists(table, *ragged[0], *ragged[1], k)
    for row, mine in zip(lists.tolist(), (scores, scores[::-1]), strict=True):
        open_items = [item for item in range(8) if item in held or item not in known]
        best = sorted(open_items, key=lambda item: (-mine[item], item))[:k]
        assert row == best + [-1] * (k - len(best))
