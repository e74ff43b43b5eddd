"""Cumulative sums of a looped series, forwards and backwards, against a walk through segments."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from droidloop.network.trace import (
    Series,
    amount_at,
    cumulate,
    finish_at,
    lap_amount,
    pack,
    value_at,
)
from droidloop.platform.draws import Draws
from droidloop.platform.units import NEVER_US, SECOND_US, between, reached

DRAWS = Draws(20, "trace-inverse")
Packed = tuple[Any, Any, Any, Any]


def random_series(row: int, knots: int, *, grain_us: int) -> Series:
    """A series of a whole number of seconds, its knots anywhere, a third of its values 0."""
    steps = 1 + DRAWS.integers(row, np.arange(knots), 5_000_000 // grain_us)
    times_us = np.concatenate([[0], np.cumsum(steps)[:-1]]) * grain_us
    values = DRAWS.integers(row, 1000 + np.arange(knots), 3_000_000)
    values[DRAWS.uniform(row, 2000 + np.arange(knots)) < 1 / 3] = 0
    values[0] = 1000
    return Series(times_us, values, (int(times_us[-1]) // SECOND_US + 1) * SECOND_US)


def packed(series: Series) -> Packed:
    index, times_us, values = pack([series])
    return index[0], times_us, values, cumulate(index, times_us, values)


def segments(one: Packed, start_us: int, offset_us: int) -> Iterator[tuple[int, int, int]]:
    """Walk forever through (rate, start, end), as a phone's transfer does."""
    while True:
        rate, end_us = value_at(*one[:3], start_us, offset_us)
        yield int(rate), start_us, int(end_us)
        start_us = int(end_us)


def walked_finish(one: Packed, start_us: int, amount: int, offset_us: int) -> int:
    for rate, from_us, end_us in segments(one, start_us, offset_us):
        delivered = between(rate, from_us, end_us)
        if delivered >= amount:
            return int(reached(rate, from_us, amount))
        amount -= delivered
    raise AssertionError


def walked_amount(one: Packed, start_us: int, end_us: int, offset_us: int) -> int:
    total = 0
    for rate, from_us, to_us in segments(one, start_us, offset_us):
        if to_us >= end_us:
            return total + int(between(rate, from_us, end_us))
        total += int(between(rate, from_us, to_us))
    raise AssertionError


@pytest.mark.parametrize("grain_us", [1, 1_000, SECOND_US])
def test_a_finish_found_backwards_equals_a_walk_on_1000_random_transfers(grain_us: int) -> None:
    """Starts anywhere in twenty laps, sizes of up to three laps, offsets of whole seconds."""
    for row in range(20):
        one = packed(random_series(row, 40, grain_us=grain_us))
        lap = int(lap_amount(*one))
        for k in range(50):
            chance = DRAWS.uniform(row, 3000 + 10 * k + np.arange(3))
            start_us = int(chance[0] * 20 * one[0]["span_us"])
            amount = 1 + int(chance[1] ** 3 * 3 * lap)
            offset_us = int(chance[2] * one[0]["span_us"]) // SECOND_US * SECOND_US
            expected = walked_finish(one, start_us, amount, offset_us)
            assert expected == finish_at(*one, start_us, amount, offset_us)


@pytest.mark.parametrize("grain_us", [1, 1_000, SECOND_US])
def test_what_any_interval_delivers_equals_the_walk_to_the_byte(grain_us: int) -> None:
    for row in range(20):
        one = packed(random_series(100 + row, 40, grain_us=grain_us))
        for k in range(20):
            chance = DRAWS.uniform(100 + row, 3000 + 10 * k + np.arange(3))
            start_us = int(chance[0] * 5 * one[0]["span_us"])
            end_us = start_us + int(chance[1] * 3 * one[0]["span_us"])
            offset_us = int(chance[2] * 100) * SECOND_US
            delivered = amount_at(*one, end_us, offset_us) - amount_at(*one, start_us, offset_us)
            assert walked_amount(one, start_us, end_us, offset_us) == delivered


def test_the_finish_is_the_first_time_at_which_all_is_there() -> None:
    one = packed(random_series(7, 30, grain_us=1))
    for k in range(200):
        start_us = int(DRAWS.uniform(7, 3000 + k) * 100 * SECOND_US)
        amount = 1 + int(DRAWS.integers(7, 4000 + k, 50_000_000))
        end_us = int(finish_at(*one, start_us, amount, 0))
        before = int(amount_at(*one, start_us, 0))
        assert amount_at(*one, end_us, 0) - before >= amount
        assert amount_at(*one, end_us - 1, 0) - before < amount


def test_a_hundred_laps_take_a_hundred_times_as_long_as_one() -> None:
    one = packed(Series(np.array([0, SECOND_US]), np.array([1000, 0]), 5 * SECOND_US))
    assert finish_at(*one, 0, 1000, 0) == SECOND_US
    assert finish_at(*one, 0, 100_000, 0) == 99 * 5 * SECOND_US + SECOND_US


def test_nothing_is_delivered_at_once_and_a_silent_series_never_ends() -> None:
    one = packed(Series(np.array([0]), np.array([0]), SECOND_US))
    assert finish_at(*one, 123, 0, 0) == 123
    assert finish_at(*one, 123, 1, 0) == NEVER_US


def test_a_finish_beyond_all_times_is_never_and_does_not_overflow() -> None:
    one = packed(Series(np.array([0]), np.array([1]), 3600 * SECOND_US))
    assert finish_at(*one, 0, 2**60, 0) == NEVER_US


def test_each_series_of_several_has_sums_of_its_own() -> None:
    many = [random_series(row, 10 + row, grain_us=1_000) for row in range(5)]
    index, times_us, values = pack(many)
    sums = cumulate(index, times_us, values)
    for row, series in zip(index, many, strict=True):
        alone = packed(series)
        assert lap_amount(*alone) == lap_amount(row, times_us, values, sums)
        for t_us in range(0, 60 * SECOND_US, 7_777_777):
            assert amount_at(*alone, t_us, 0) == amount_at(row, times_us, values, sums, t_us, 0)
