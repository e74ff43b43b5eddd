"""Which runs nobody beats: quality against joules, bytes, hours and the class that is worst off."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import BoolArray, FloatArray

from .compare import Group

AGAINST = ("joules", "mb", "hours", "worst_class")
"""What quality is weighed against: costs by the best round, and quality in the worst class."""


@dataclass(frozen=True)
class Standing:
    """Where *group* stands among others, by means.

    ``quality`` is that of the metric which chose rounds, ``worst_class`` the same in the class
    ``worst`` that has least of it. ``fronts`` are those on which it is: of quality and one of
    ``AGAINST``, and ``all`` of all five.
    """

    group: Group
    quality: float
    worst: str
    figures: dict[str, float]
    fronts: frozenset[str]


def front(points: FloatArray) -> BoolArray:
    """Return which of *points* (n, d), more being better, no other one dominates.

    One dominates another that is as good in all and better in one; NaN is worse than all.
    """
    known = np.where(np.isnan(points), -np.inf, points)
    as_good = (known[:, None, :] >= known[None, :, :]).all(axis=2)
    better = (known[:, None, :] > known[None, :, :]).any(axis=2)
    dominated: BoolArray = (as_good & better).any(axis=0)
    return ~dominated


def standings(groups: Sequence[Group]) -> list[Standing]:
    """Return where each of *groups* stands, by the metric that chose the first one's rounds."""
    metric = groups[0].metrics[0]
    rows, worsts = [], []
    for group in groups:
        names = {name for one in group.results for name in one.classes}
        by_class = {name: group.interval(metric.name, name)[0] for name in sorted(names)}
        known = {name: value for name, value in by_class.items() if not np.isnan(value)}
        worst = min(known, key=lambda name: metric.sign * known[name]) if known else ""
        costs = [group.interval(cost)[0] for cost in AGAINST[:-1]]
        rows.append([group.interval(metric.name)[0], *costs, known.get(worst, float("nan"))])
        worsts.append(worst)
    values = np.array(rows)
    better = values * np.array([metric.sign, -1, -1, -1, metric.sign])
    on = {name: front(better[:, [0, k]]) for k, name in enumerate(AGAINST, 1)}
    on["all"] = front(better)
    return [
        Standing(
            group,
            float(values[k, 0]),
            worsts[k],
            dict(zip(AGAINST, values[k, 1:].tolist(), strict=True)),
            frozenset(name for name, mask in on.items() if mask[k]),
        )
        for k, group in enumerate(groups)
    ]
