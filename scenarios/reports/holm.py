"""Tests of differences, and what is left of them where many are made at once."""

from collections.abc import Sequence

import numpy as np


def p_value(mean: float, half: float, n: int) -> float:
    """Return the two-sided p of Student's t for a *mean* over *n* values that may be 0.

    *half* is half of its 95 % interval. NaN where there is no interval; where all values are equal
    it is 1 if they are 0, and 0 else.
    """
    from scipy.special import stdtr, stdtrit

    if n < 2 or np.isnan(half):
        return float("nan")
    if half == 0:
        return float(mean == 0)
    t = mean / (half / float(stdtrit(n - 1, 0.975)))
    return float(2 * stdtr(n - 1, -abs(t)))


def holm(values: Sequence[float]) -> list[float]:
    """Return *values*, p of tests made at once, by the step-down rule of Holm (1979).

    Scandinavian Journal of Statistics 6(2), 65-70. Those at most 0.05 are wrong together in at most
    5 of 100 such families. NaN is no test, and stays.
    """
    p = np.asarray(values, np.float64)
    order = [k for k in np.argsort(p, kind="stable") if not np.isnan(p[k])]
    adjusted, least = p.copy(), 0.0
    for rank, k in enumerate(order):
        least = max(least, min(1.0, (len(order) - rank) * p[k]))
        adjusted[k] = least
    return [float(one) for one in adjusted]
