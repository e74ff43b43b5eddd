"""Metrics against examples by hand; each is found by its name."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Split
from droidloop.models.interfaces.metrics import Listed, Metric, Ranked, Rated
from droidloop.platform.registry import every, find, names


def ints(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values, np.int64)


def metric(name: str, **keys: Any) -> Metric:
    method = find("metric", name)
    made: Metric = method.build(method.section(**keys))
    return made


def values(name: str, ranks: Any, offsets: Any, k: int) -> list[float]:
    found: list[float] = metric(name, k=k).value(Ranked(ranks, offsets)).tolist()
    return found


@pytest.mark.parametrize("name", names("metric"))
def test_every_metric_says_what_it_is(name: str) -> None:
    method = find("metric", name)
    made = method.build(method.section())
    assert isinstance(made, Metric)
    assert method.summary
    assert method.source
    assert made.name.startswith(name.replace("-", "_"))


def test_one_held_out_item_by_hand() -> None:
    ranked = ints(1, 2, 10, 11), ints(0, 1, 2, 3, 4)
    assert values("hr", *ranked, 10) == [1, 1, 1, 0]
    assert values("recall", *ranked, 10) == [1, 1, 1, 0]
    assert values("ndcg", *ranked, 10) == [1, 1 / np.log2(3), 1 / np.log2(11), 0]
    assert values("mrr", *ranked, 10) == [1, 1 / 2, 1 / 10, 0]


def test_several_held_out_items_by_hand() -> None:
    ranked = ints(5, 2, 1, 2, 9, 8, 7), ints(0, 2, 7)
    assert values("hr", *ranked, 3) == [1, 1]
    assert values("recall", *ranked, 3) == [1 / 2, 2 / 5]
    assert values("mrr", *ranked, 3) == [1 / 2, 1]
    second, third = 1 / np.log2(3), 1 / np.log2(4)
    expected = [second / (1 + second), (1 + second) / (1 + second + third)]
    assert values("ndcg", *ranked, 3) == pytest.approx(expected, rel=1e-15)


def test_an_ideal_ranking_has_the_value_one_for_any_number_of_items() -> None:
    for n in range(1, 15):
        assert values("ndcg", np.arange(n) + 1, ints(0, n), 10) == [1.0]


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=30, unique=True))
def test_metrics_of_ranks_never_fall_in_k(ranks: list[int]) -> None:
    offsets = ints(0, len(ranks) // 2, len(ranks)) if len(ranks) > 1 else ints(0, 1)
    for name in ("hr", "recall", "mrr"):
        series = [values(name, ints(*ranks), offsets, k) for k in range(1, 42)]
        assert (np.diff(series, axis=0) >= 0).all()
        assert (np.array(series[-1]) == 1).all() or name == "mrr"


def listed(lists: list[list[int]], n_items: int) -> Listed:
    nothing = UserItems.bare(ints(), np.zeros(len(lists) + 1, np.int64))
    split = Split(nothing, nothing, nothing, n_items)
    return Listed(np.arange(len(lists)), np.array(lists), split)


def test_coverage_counts_items_that_somebody_is_shown() -> None:
    lists = listed([[0, 1], [1, 2], [3, -1]], 8)
    assert metric("coverage", k=2).value(lists) == 4 / 8
    assert metric("coverage", k=1).value(lists) == 3 / 8


def test_gini_is_half_the_mean_difference_of_exposures_over_their_mean() -> None:
    lists = listed([[0, 1], [0, 2], [0, -1]], 5)
    exposure = np.array([3, 1, 1, 0, 0])
    differences = np.abs(exposure[:, None] - exposure).sum()
    expected = differences / (2 * 5 * exposure.sum())
    assert metric("gini", k=2).value(lists) == pytest.approx(expected)
    assert metric("gini", k=1).value(listed([[0], [1], [2]], 3)) == 0
    assert metric("gini", k=1).value(listed([[1], [1], [1]], 3)) == pytest.approx(2 / 3)
    assert np.isnan(metric("gini").value(listed([[-1]], 3)))


def test_the_direction_of_a_metric_and_whom_it_is_of() -> None:
    kinds = {m.name: m.build(m.section()) for m in every("metric")}
    assert {name for name, made in kinds.items() if made.sign < 0} == {"gini", "log-loss"}
    assert {name for name, made in kinds.items() if made.whole} == {"coverage", "gini"}


def test_users_that_do_not_count_are_left_out_of_the_mean() -> None:
    one = Rated(np.array([1, 0, 1]), np.array([2.0, 1.0, 5.0]), ints(0, 2, 3))
    assert metric("auc").mean(one) == 1.0
    nobody = Rated(np.array([1, 1]), np.array([2.0, 1.0]), ints(0, 2))
    assert np.isnan(metric("auc").mean(nobody))
