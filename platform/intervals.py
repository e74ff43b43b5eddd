"""Intervals of means: what 95 of 100 samples of as many users, or of as many runs, would hold."""

from collections.abc import Sequence

import numpy as np

from .arrays import FloatArray


def interval(values: Sequence[float] | FloatArray) -> tuple[float, float]:
    """Return the mean of *values* and half the width of its 95 % interval; NaN where unknown.

    Student's t over the values, which are one a user or one a run.
    """
    from scipy.special import stdtrit

    n = len(values)
    mean = float(np.mean(values)) if n else float("nan")
    if n < 2:
        return mean, float("nan")
    return mean, float(stdtrit(n - 1, 0.975)) * float(np.std(values, ddof=1)) / n**0.5
