"""Integer physics against Python's own integers, which never overflow."""

from itertools import pairwise
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from droidloop.platform.units import DAY_US, NEVER_US, between, integral, joules, reached, seconds

times = st.integers(0, 14 * DAY_US)
rates = st.integers(0, 10**9)
some_rates = st.integers(1, 10**9)


@settings(max_examples=500)
@given(rates, times)
@example(10**9, 14 * DAY_US)
@example(999_999_999, 14 * DAY_US - 1)
def test_an_integral_is_the_floor_of_rate_times_time(rate: int, t_us: int) -> None:
    assert integral(rate, t_us) == rate * t_us // 1_000_000


@settings(max_examples=300)
@given(rates, st.lists(times, min_size=2, max_size=8))
def test_parts_add_up_to_the_whole(rate: int, cuts: list[int]) -> None:
    cuts = sorted(cuts)
    parts = sum(between(rate, a, b) for a, b in pairwise(cuts))
    assert parts == between(rate, cuts[0], cuts[-1])


@settings(max_examples=500)
@given(some_rates, times, st.integers(1, 10**12))
@example(1, 14 * DAY_US, 10**12)
@example(10**9, 14 * DAY_US, 10**12)
@example(3, 333_333, 1)
def test_an_amount_is_reached_at_the_first_time_at_which_it_is_there(
    rate: int, start_us: int, amount: int
) -> None:
    t_us = reached(rate, start_us, amount)
    target = rate * start_us // 1_000_000 + amount
    assert rate * t_us // 1_000_000 >= target
    assert rate * (t_us - 1) // 1_000_000 < target
    assert t_us > start_us, "without progress a transfer would never end"


def test_what_takes_longer_than_all_time_is_never_reached() -> None:
    """It must not overflow into the past, where a transfer would wait for ever."""
    assert reached(1, 0, 2**62) == NEVER_US
    assert reached(100_000, DAY_US, 2**60) == NEVER_US
    assert reached(10**9, 14 * DAY_US, 2**61) == 14 * DAY_US + 2_305_843_009_213_694


@given(some_rates, times, st.integers(-5, 0))
def test_nothing_takes_no_time(rate: int, start_us: int, amount: int) -> None:
    assert reached(rate, start_us, amount) == start_us


@given(some_rates, times, st.integers(1, 10**9), st.integers(1, 10**9))
def test_two_amounts_in_turn_take_as_long_as_their_sum(
    rate: int, start_us: int, first: int, second: int
) -> None:
    """A transfer may be interrupted anywhere: what is counted is what the integral passed."""
    middle_us = reached(rate, start_us, first)
    rest = first + second - between(rate, start_us, middle_us)
    assert reached(rate, middle_us, rest) == reached(rate, start_us, first + second)


def test_compiled_and_interpreted_integrals_agree() -> None:
    """The python bodies are what a reader checks; the compiled ones are what runs."""
    for rate, t_us in [(0, 0), (1, 999_999), (10**9, 14 * DAY_US), (123_457, 98_765_432_101)]:
        interpreted: Any = integral
        assert interpreted.py_func(rate, t_us) == integral(rate, t_us)


def test_reports_are_in_seconds_and_joules() -> None:
    assert seconds(1_500_000) == 1.5
    assert joules(2_250_000) == 2.25
