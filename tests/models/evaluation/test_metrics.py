"""Metrics by user, against examples by hand and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.evaluation.metrics import UserMetrics, from_ranks, full_ranks, sampled_ranks
from droidloop.platform.draws import Draws


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def test_one_held_out_item_by_hand() -> None:
    values = from_ranks(ints(1, 2, 10, 11), ints(0, 1, 2, 3, 4), 10)
    assert values["hr_at_10"].tolist() == [1, 1, 1, 0]
    assert values["recall_at_10"].tolist() == [1, 1, 1, 0]
    assert values["ndcg_at_10"].tolist() == [1, 1 / np.log2(3), 1 / np.log2(11), 0]


def test_several_held_out_items_by_hand() -> None:
    values = from_ranks(ints(5, 2, 1, 2, 9, 8, 7), ints(0, 2, 7), 3)
    assert values["hr_at_3"].tolist() == [1, 1]
    assert values["recall_at_3"].tolist() == [1 / 2, 2 / 5]
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    expected = [second / (1 + second), (1 + second) / (1 + second + third)]
    assert values["ndcg_at_3"] == pytest.approx(expected, rel=1e-15)


def test_an_ideal_ranking_has_the_value_one_for_any_number_of_items() -> None:
    for n in range(1, 15):
        values = from_ranks(np.arange(n) + 1, ints(0, n), 10)
        assert values["ndcg_at_10"].tolist() == [1.0]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30, unique=True))
def test_hit_rate_and_recall_never_fall_in_k(ranks: list[int]) -> None:
    offsets = ints(0, len(ranks) // 2, len(ranks)) if len(ranks) > 1 else ints(0, 1)
    for name in ("hr", "recall"):
        series = [from_ranks(ints(*ranks), offsets, k)[f"{name}_at_{k}"] for k in range(1, 42)]
        assert (np.diff(series, axis=0) >= 0).all()
        assert (series[-1] == 1).all()


def test_k_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="k must be at least 1, not 0"):
        from_ranks(ints(1), ints(0, 1), 0)


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
