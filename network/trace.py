"""Recorded series played back in a loop: link rates, charging windows, anything of (time, value).

All series of a run lie one after the other in two arrays; a row of ``SERIES_DTYPE`` says where one
begins. Between two knots the value of the earlier one holds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.law import kernel, law
from droidloop.platform.units import NEVER_US, between, reached

SERIES_DTYPE = np.dtype([("first", np.int64), ("count", np.int64), ("span_us", np.int64)])

SeriesArray = np.ndarray[Any, np.dtype[np.void]]


@dataclass(frozen=True)
class Series:
    """One recorded series: *times_us* rising from 0, integer *values*, repeated every *span_us*."""

    times_us: IntArray
    values: IntArray
    span_us: int

    def __post_init__(self) -> None:
        times = self.times_us
        if len(times) == 0 or len(times) != len(self.values):
            raise ValueError(f"{len(times)} times and {len(self.values)} values: need equal, >= 1")
        if times[0] != 0 or (np.diff(times) <= 0).any() or times[-1] >= self.span_us:
            raise ValueError("times must rise from 0 and end before the span")
        if (np.asarray(self.values) < 0).any():
            raise ValueError("values must not be negative")


def pack(series: list[Series]) -> tuple[SeriesArray, IntArray, IntArray]:
    """Return the index rows, the times and the values of *series*, one after the other."""
    index = np.zeros(max(len(series), 1), SERIES_DTYPE)
    first = 0
    for row, one in zip(index, series, strict=False):
        row["first"], row["count"], row["span_us"] = first, len(one.times_us), one.span_us
        first += len(one.times_us)
    times = [np.asarray(one.times_us, np.int64) for one in series] or [np.zeros(1, np.int64)]
    values = [np.asarray(one.values, np.int64) for one in series] or [np.zeros(1, np.int64)]
    return index, np.concatenate(times), np.concatenate(values)


@law
def value_at(
    series: Any, times_us: IntArray, values: IntArray, t_us: int, offset_us: int
) -> tuple[int, int]:
    """Return the value of *series* at *t_us*, shifted by *offset_us*, and until when it holds."""
    lap, within_us = divmod(t_us + offset_us, series.span_us)
    low, high = series.first, series.first + series.count
    while high - low > 1:
        middle = (low + high) // 2
        if times_us[middle] <= within_us:
            low = middle
        else:
            high = middle
    end_us = series.span_us if low + 1 == series.first + series.count else times_us[low + 1]
    return values[low], lap * series.span_us + end_us - offset_us


@kernel
def cumulate(index: SeriesArray, times_us: IntArray, values: IntArray) -> IntArray:
    """Return for each knot what its series amounts to from its first knot up to this one.

    Values are rates per second; the last segment of a lap is not in it (:func:`lap_amount`).
    """
    sums = np.zeros(len(values), np.int64)
    for row in index:
        for k in range(row.first + 1, row.first + row.count):
            sums[k] = sums[k - 1] + between(values[k - 1], times_us[k - 1], times_us[k])
    return sums


@law
def lap_amount(series: Any, times_us: IntArray, values: IntArray, sums: IntArray) -> int:
    """Return what one lap of *series* amounts to."""
    last = series.first + series.count - 1
    return int(sums[last] + between(values[last], times_us[last], series.span_us))


@law
def amount_at(
    series: Any, times_us: IntArray, values: IntArray, sums: IntArray, t_us: int, offset_us: int
) -> int:
    """Return the integral of *series* from its very first knot to *t_us*, laps included.

    What happens between two times is the difference of two such amounts, exact to the unit. Where
    offset and span are whole seconds it equals the sum of ``units.between`` over the segments.
    """
    lap, within_us = divmod(t_us + offset_us, series.span_us)
    low, high = series.first, series.first + series.count
    while high - low > 1:
        middle = (low + high) // 2
        if times_us[middle] <= within_us:
            low = middle
        else:
            high = middle
    laps = lap * lap_amount(series, times_us, values, sums)
    return int(laps + sums[low] + between(values[low], times_us[low], within_us))


@kernel
def amounts_at(
    series: Any,
    times_us: IntArray,
    values: IntArray,
    sums: IntArray,
    at_us: IntArray,
    offset_us: int,
) -> IntArray:
    """Return :func:`amount_at` for each time of *at_us*."""
    amounts = np.zeros(len(at_us), np.int64)
    for k in range(len(at_us)):
        amounts[k] = amount_at(series, times_us, values, sums, at_us[k], offset_us)
    return amounts


@law
def finish_at(
    series: Any,
    times_us: IntArray,
    values: IntArray,
    sums: IntArray,
    start_us: int,
    amount: int,
    offset_us: int,
) -> int:
    """Return the first time at which *series* has delivered *amount* since *start_us*.

    The cumulative sums are searched from the other side: O(log n), any number of laps.
    ``NEVER_US`` where that lies beyond all times, as where the series is 0 throughout.
    """
    if amount <= 0:
        return start_us
    whole = lap_amount(series, times_us, values, sums)
    if whole == 0:
        return NEVER_US
    target = amount_at(series, times_us, values, sums, start_us, offset_us) + amount
    lap = (target - 1) // whole
    if lap >= NEVER_US // series.span_us:
        return NEVER_US
    rest = target - lap * whole
    # the last knot that lies before the target: its segment reaches it
    low, high = series.first, series.first + series.count
    while high - low > 1:
        middle = (low + high) // 2
        if sums[middle] < rest:
            low = middle
        else:
            high = middle
    within_us = reached(values[low], times_us[low], rest - sums[low])
    return int(lap * series.span_us + within_us - offset_us)
