"""Rates that change with the hour of the day: time that passes faster in some hours than in others.

What happens at a constant rate after a time happens, where rates change, once as much *operational*
time has passed: the integral of the rates (Cinlar, Introduction to Stochastic Processes, 1975,
chapter 4.7).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.units import DAY_US, HOUR_US


@dataclass(frozen=True)
class DayRates:
    """Weights of the hours of a day, one each, of which only the ratios count; none: all alike."""

    weights: Sequence[float] = ()

    def after(self, start_us: IntArray, passed_us: IntArray) -> IntArray:
        """Return when *passed_us* of operational time have passed since *start_us*.

        A day has as much operational time as it has time. What passes takes a microsecond or more.
        """
        if not self.weights:
            return np.asarray(start_us + passed_us, np.int64)
        weights = np.array(self.weights, np.float64)
        run = np.concatenate([[0.0], np.cumsum(weights / weights.sum())]) * DAY_US
        day, within = np.divmod(start_us, DAY_US)
        hour = within // HOUR_US
        slope = np.diff(run) / HOUR_US
        then = run[hour] + (within - hour * HOUR_US) * slope[hour] + passed_us % DAY_US
        over = then >= DAY_US
        then = np.where(over, then - DAY_US, then)
        # the hour in which it happens has a weight: those without take no operational time
        last = int(np.flatnonzero(slope)[-1])
        hour = np.minimum(np.searchsorted(run, then, side="right") - 1, last)
        found = hour * HOUR_US + np.rint((then - run[hour]) / slope[hour]).astype(np.int64)
        after = (day + passed_us // DAY_US + over) * DAY_US + found
        return np.asarray(np.maximum(after, start_us + (passed_us > 0)), np.int64)
