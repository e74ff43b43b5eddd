"""Pareto fronts: who is on them, by definition and in a comparison."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from droidloop.scenarios.reports.compare import Group, Result
from droidloop.scenarios.reports.pareto import front, standings
from tests.scenarios.reports.test_compare import group, result

POINTS = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=12)


@given(POINTS)
def test_nobody_on_the_front_is_dominated_and_all_others_are(points: list[tuple[int, ...]]) -> None:
    on = front(np.array(points, np.float64))
    for one, mine in zip(points, on, strict=True):
        dominated = any(
            other != one and all(a >= b for a, b in zip(other, one, strict=True))
            for other in points
        )
        assert mine == (not dominated)


def test_what_is_not_known_is_worse_than_all() -> None:
    assert front(np.array([[1.0, np.nan], [1.0, -9.0]])).tolist() == [False, True]


def costing(label: str, hit: float, joules: float, mb: float, poor: float) -> Group:
    made = result(1, {0: hit})
    overall = made.overall | {"joules": joules, "mb": mb}
    classes = {"old": {"hit": poor}, "new": {"hit": 1.0}}
    return group(label, Result(1, overall, classes, made.course, made.by_user, {}))


def test_a_comparison_says_who_is_on_which_front() -> None:
    good, cheap, beaten = standings(
        [
            costing("good", 0.9, 9.0, 9.0, 0.2),
            costing("cheap", 0.5, 1.0, 9.0, 0.4),
            costing("beaten", 0.4, 2.0, 5.0, 0.1),
        ]
    )
    assert good.fronts == {"joules", "mb", "hours", "worst_class", "all"}
    assert cheap.fronts == {"joules", "worst_class", "all"}
    assert beaten.fronts == {"mb", "all"}
    assert (good.worst, good.quality) == ("old", 0.9)
    assert good.figures == {"joules": 9.0, "mb": 9.0, "hours": 1.0, "worst_class": 0.2}
