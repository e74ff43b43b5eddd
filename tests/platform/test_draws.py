"""Chance is a pure function of seed, purpose, row and counter."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws, below_at, bits_at, exponential_at, normal_at, uniform_at

DRAWS = Draws(7, "test")
ROWS = np.arange(4000)

seeds = st.integers(0, 2**63)
rows_of = st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=50, unique=True)


@njit
def _one_by_one(key: Any, row: int, counter: int) -> tuple[Any, float, int, float, float]:
    return (
        bits_at(key, row, counter),
        uniform_at(key, row, counter),
        below_at(key, row, counter, 1000),
        exponential_at(key, row, counter, 60e6),
        normal_at(key, row, counter),
    )


def test_a_cohort_draws_what_each_row_draws_alone() -> None:
    together = (
        DRAWS.bits(ROWS, 5),
        DRAWS.uniform(ROWS, 5),
        DRAWS.integers(ROWS, 5, 1000),
        DRAWS.exponential(ROWS, 5, 60e6),
        DRAWS.normal(ROWS, 5),
    )
    alone = [_one_by_one(DRAWS.key, int(row), 5) for row in ROWS]
    for many, ones in zip(together, zip(*alone, strict=True), strict=True):
        assert many.tolist() == list(ones)


@given(seeds, rows_of, st.integers(0, 2**40), st.randoms(use_true_random=False))
def test_draws_do_not_depend_on_the_order_or_on_the_others(
    seed: int, rows: list[int], counter: int, random: Any
) -> None:
    draws = Draws(seed, "p")
    whole = dict(zip(rows, draws.bits(rows, counter).tolist(), strict=True))
    some = random.sample(rows, k=max(1, len(rows) // 2))
    assert draws.bits(some, counter).tolist() == [whole[row] for row in some]


def test_rows_and_counters_broadcast() -> None:
    table = DRAWS.uniform(ROWS[:3, None], np.arange(4))
    assert table.shape == (3, 4)
    assert table[2, 1] == DRAWS.uniform(2, 1)
    assert DRAWS.uniform(2, 1).shape == ()
    assert DRAWS.uniform([2], 1).tolist() == DRAWS.uniform([2], [1]).tolist() == [table[2, 1]]
    assert DRAWS.uniform([[2]], [1]).shape == (1, 1)
    assert DRAWS.uniform(ROWS[6::-2], ROWS[:4]).tolist() == [
        DRAWS.uniform(row, counter) for row, counter in ((6, 0), (4, 1), (2, 2), (0, 3))
    ]
    assert DRAWS.uniform(np.empty(0, np.int64), 0).shape == (0,)


def test_seed_purpose_row_and_counter_all_matter() -> None:
    keys = [
        Draws(seed, purpose).bits(row, counter).item()
        for seed in (0, 1)
        for purpose in ("a", "b", "a/b")
        for row in (0, 1, -1)
        for counter in (0, 1, 2**40)
    ]
    assert len(set(keys)) == len(keys)


def test_a_child_has_draws_of_its_own() -> None:
    assert DRAWS.child("x") == Draws(7, "test/x")
    assert DRAWS.child(3).bits(0, 0) != DRAWS.bits(0, 0)


def test_golden_values_stay() -> None:
    """Every ledger depends on them: a change here is a change of the ledger's schema version."""
    draws, rows = Draws(42, "golden"), [0, 1, 2**31 - 1]
    assert int(draws.key) == 8536582544914548898
    assert draws.bits(rows, 3).tolist() == [
        16392494632554412497,
        7462679798350559775,
        1165895257958044982,
    ]
    assert draws.uniform(rows, 3).tolist() == [
        0.8886389146536232,
        0.4045526824967681,
        0.06320330857843293,
    ]
    assert draws.integers(rows, 3, 1000).tolist() == [888, 404, 63]
    normal = np.round(draws.normal(rows, 3) * 1e9).tolist()
    assert normal == [719497097.0, -778632141.0, 205105923.0]
    exponential = np.round(draws.exponential(rows, 3, 1e9)).tolist()
    assert exponential == [2194977336.0, 518442362.0, 65288998.0]


def _mix(word: int) -> int:
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
    return word ^ word >> 31


@given(seeds, st.integers(-1, 2**62), st.integers(-1, 2**62))
def test_the_hash_is_the_finaliser_of_splitmix64(seed: int, row: int, counter: int) -> None:
    """Against Python's own integers, one mix a word of the key."""
    draws, golden = Draws(seed, "reference"), 0x9E3779B97F4A7C15
    word = _mix((int(draws.key) + golden * (row + 1)) % 2**64)
    assert draws.bits(row, counter).item() == _mix((word + golden * (counter + 1)) % 2**64)


@pytest.mark.parametrize("way", ["over rows", "over counters"])
def test_uniform_draws_fill_a_hundred_cells_evenly(way: str) -> None:
    """Chi-square with 99 degrees of freedom: 148.2 is passed once in a thousand seeds."""
    many = np.arange(100_000)
    draws = DRAWS.uniform(many, 0) if way == "over rows" else DRAWS.uniform(0, many)
    counts = np.bincount((draws * 100).astype(np.int64), minlength=100)
    assert ((counts - 1000) ** 2 / 1000).sum() < 148.2
    assert counts.sum() == 100_000


def test_neighbours_are_independent() -> None:
    """Pairs of (row, row + 1) and of (counter, counter + 1) fill a 10 x 10 table evenly."""
    grid = DRAWS.uniform(np.arange(400)[:, None], np.arange(400)[None, :])
    for one, other in ((grid[:-1], grid[1:]), (grid[:, :-1], grid[:, 1:])):
        cells = (one * 10).astype(int) * 10 + (other * 10).astype(int)
        counts = np.bincount(cells.ravel(), minlength=100)
        mean = cells.size / 100
        assert ((counts - mean) ** 2 / mean).sum() < 148.2


def test_each_of_the_64_bits_is_set_half_of_the_time() -> None:
    bits = DRAWS.bits(np.arange(100_000), 1)
    set_ = np.array([np.count_nonzero(bits >> np.uint64(k) & np.uint64(1)) for k in range(64)])
    assert np.abs(set_ - 50_000).max() < 4.5 * np.sqrt(25_000)


def test_normal_and_exponential_draws_have_their_moments() -> None:
    many = np.arange(200_000)
    normal = DRAWS.normal(many, 0)
    assert abs(normal.mean()) < 4 / np.sqrt(many.size)
    assert abs(normal.std() - 1) < 4 / np.sqrt(2 * many.size)
    exponential = DRAWS.exponential(many, 0, 3.0)
    assert abs(exponential.mean() - 3) < 4 * 3 / np.sqrt(many.size)
    assert abs((exponential > 6).mean() - np.exp(-2)) < 4 * np.sqrt(0.117 / many.size)


@pytest.mark.parametrize("high", [1, 2, 7, 2**31 - 1])
def test_integers_stay_below_high_and_reach_it(high: int) -> None:
    draws = DRAWS.integers(ROWS, 0, high)
    assert draws.min() >= 0
    assert draws.max() < high
    if high < 10:
        assert sorted(set(draws.tolist())) == list(range(high))


@pytest.mark.parametrize("high", [0, -3, 2**31])
def test_integers_below_something_odd_are_refused(high: int) -> None:
    with pytest.raises(ValueError, match=rf"high must lie in 1..2\*\*31-1, not {high}"):
        DRAWS.integers(ROWS, 0, high)


@given(rows_of, st.integers(0, 60), st.integers(0, 1000))
def test_choosing_k_takes_the_k_smallest_keys(rows: list[int], k: int, counter: int) -> None:
    asked = np.array(rows)
    keys = DRAWS.bits(asked, counter).tolist()
    best = sorted(zip(keys, rows, strict=True))[:k]
    assert DRAWS.choose(asked, k, counter).tolist() == sorted(row for _, row in best)


@given(rows_of, st.integers(0, 1000))
def test_an_order_begins_with_what_would_be_chosen(rows: list[int], counter: int) -> None:
    order = DRAWS.order(np.array(rows), counter)
    assert sorted(order.tolist()) == sorted(rows)
    for k in (1, len(rows) // 2):
        chosen = DRAWS.choose(np.array(rows), k, counter)
        assert sorted(order[:k].tolist()) == chosen.tolist()


class _Tied(Draws):
    """Draws whose keys are 0 or 1: ties everywhere."""

    def bits(self, rows: Any, counter: Any) -> Any:
        return super().bits(rows, counter) >> np.uint64(63)


@given(rows_of, st.integers(0, 60))
def test_ties_go_to_the_smaller_row(rows: list[int], k: int) -> None:
    draws, asked = _Tied(1, "ties"), np.array(rows)
    keys = draws.bits(asked, 0).tolist()
    best = sorted(zip(keys, rows, strict=True))[:k]
    assert draws.choose(asked, k, 0).tolist() == sorted(row for _, row in best)


def test_a_choice_of_many_is_the_choice_of_any_subset_that_holds_it() -> None:
    """Asking fewer rows, as a selection does, changes nothing for those that are asked."""
    rows: IntArray = np.arange(1000)
    chosen = DRAWS.choose(rows, 20, 3)
    half = np.union1d(chosen, rows[::2])
    assert DRAWS.choose(half, 20, 3).tolist() == chosen.tolist()
