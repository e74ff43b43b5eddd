"""Recorded series played back in a loop: link rates, charging windows, anything of (time, value).

All series of a run lie one after the other in two arrays; a row of ``SERIES_DTYPE`` says where one
begins. Between two knots the value of the earlier one holds.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.law import kernel, law
from droidloop.platform.units import between

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
def delivered(times_us: IntArray, values: IntArray, at_us: IntArray) -> IntArray:
    """Return what a series, a rate per second, amounts to from 0 to each of *at_us*, which rise.

    Times lie within the first lap. What happens between two of them is the difference of two
    such amounts, exact to the unit.
    """
    amounts = np.zeros(len(at_us), np.int64)
    knot, before = 0, 0
    for k in range(len(at_us)):
        while knot + 1 < len(times_us) and times_us[knot + 1] <= at_us[k]:
            before += between(values[knot], times_us[knot], times_us[knot + 1])
            knot += 1
        amounts[k] = before + between(values[knot], times_us[knot], at_us[k])
    return amounts
