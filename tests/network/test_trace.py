"""Recorded series in a loop: the value at a time, and until when it holds."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.network.trace import Series, pack, value_at

knots = st.lists(st.integers(0, 10**9), min_size=1, max_size=12, unique=True)


@st.composite
def some_series(draw: Any) -> Series:
    times = np.array(sorted({0, *draw(knots)}), np.int64)
    values = np.array(
        draw(st.lists(st.integers(0, 10**9), min_size=len(times), max_size=len(times))), np.int64
    )
    return Series(times, values, int(times[-1]) + draw(st.integers(1, 10**9)))


def walked(series: Series, t_us: int, offset_us: int) -> tuple[int, int]:
    """Return value and next knot by going through the list."""
    lap, within_us = divmod(t_us + offset_us, series.span_us)
    ends = [*series.times_us[1:].tolist(), series.span_us]
    for value, end_us in zip(series.values.tolist(), ends, strict=True):
        if within_us < end_us:
            return value, lap * series.span_us + end_us - offset_us
    raise AssertionError("unreachable")


@given(
    st.lists(some_series(), min_size=1, max_size=4),
    st.integers(0, 10**13),
    st.integers(0, 10**11),
    st.data(),
)
def test_playback_equals_a_walk(many: list[Series], t_us: int, offset_us: int, data: Any) -> None:
    index, times_us, values = pack(many)
    for row, series in zip(index, many, strict=True):
        knot = data.draw(st.sampled_from([*series.times_us.tolist(), series.span_us]))
        laps_us = data.draw(st.integers(0, 1000)) * series.span_us
        at_knot_us = laps_us + knot - offset_us
        for when_us in (t_us, at_knot_us, at_knot_us - 1):
            value, until_us = value_at(row, times_us, values, when_us, offset_us)
            assert (value, until_us) == walked(series, when_us, offset_us)
            assert until_us > when_us, "without progress a transfer would never end"


def test_values_repeat_after_the_span() -> None:
    index, times_us, values = pack([Series(np.array([0, 4]), np.array([7, 0]), 10)])
    seen = [value_at(index[0], times_us, values, t_us, 0)[0] for t_us in range(25)]
    assert seen == ([7] * 4 + [0] * 6) * 2 + [7] * 4 + [0]


def test_nothing_recorded_is_still_an_array() -> None:
    """Compiled code takes the arrays apart even where no phone has a series."""
    index, times_us, values = pack([])
    assert (len(index), len(times_us), len(values)) == (1, 1, 1)


@pytest.mark.parametrize(
    ("times", "values", "span", "reason"),
    [
        ([], [], 10, "need equal, >= 1"),
        ([0, 1], [5], 10, "2 times and 1 values"),
        ([1, 2], [5, 5], 10, "must rise from 0"),
        ([0, 2, 2], [5, 5, 5], 10, "must rise from 0"),
        ([0, 10], [5, 5], 10, "end before the span"),
        ([0, 1], [5, -5], 10, "must not be negative"),
    ],
)
def test_a_series_that_cannot_be_played_is_refused(
    times: list[int], values: list[int], span: int, reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        Series(np.array(times, np.int64), np.array(values, np.int64), span)
