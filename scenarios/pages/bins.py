"""Bins of time: a page draws some hundred points of a curve, however many things happened."""

import numpy as np

from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.units import HOUR_US

_BINS = 96
"""Of the time of a run, at most: one a quarter of an hour of a day."""


def edges_us(end_us: int) -> IntArray:
    """Return the bounds of equal bins that cover *end_us*, whole quarters of an hour each."""
    quarter = HOUR_US // 4
    size = quarter * max(1, -(-end_us // (quarter * _BINS)))
    return np.arange(0, end_us + size, size)


def so_far(t_us: IntArray, amounts: Array, most: int = 2 * _BINS) -> tuple[FloatArray, Array]:
    """Return hours, and what *amounts* that came at *t_us* had added up to by then.

    A point for each time, or, where those are more than *most*, for each bin in which something
    came, at its last time.
    """
    order = np.argsort(t_us, kind="stable")
    times, sums = t_us[order], np.cumsum(amounts[order])
    last = np.flatnonzero(np.diff(times, append=times[-1] + 1))
    if len(last) > most:
        place = np.digitize(times[last], edges_us(int(times[-1]))[1:], right=True)
        last = last[np.flatnonzero(np.diff(place, append=place[-1] + 1))]
    return times[last] / HOUR_US, sums[last]
