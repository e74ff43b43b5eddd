"""The drawing of phones and links: places, parts, and what it says of itself."""

from typing import Any

import numpy as np
import pytest
from matplotlib.collections import LineCollection

from droidloop.platform.arrays import FloatArray
from droidloop.scenarios.reports import network_plot
from droidloop.scenarios.reports.canvas import blank
from droidloop.scenarios.reports.learning_graph import LearningGraph
from droidloop.scenarios.reports.network_plot import both_ways, draw_network, part_around, places_of
from droidloop.scenarios.reports.topology_picture import short


def ring(phones: int) -> LearningGraph:
    """Each phone learns from the one before it, the last is told by nobody."""
    learner = np.arange(1, phones - 1)
    zeros = np.zeros(len(learner), np.int64)
    return LearningGraph(learner, learner - 1, zeros, ["a"], np.zeros(phones, np.int64), None, 0)


def drawn(teaching: LearningGraph) -> Any:
    axis = blank(4.0).subplots()
    draw_network(axis, teaching)
    return axis


def lines(axis: Any) -> int:
    """Return how many straight lines *axis* holds."""
    return sum(len(c.get_segments()) for c in axis.collections if isinstance(c, LineCollection))


def spread(places: FloatArray) -> float:
    return float(np.linalg.norm(places - places.mean(axis=0), axis=1).mean())


def test_both_ways_are_one_pair() -> None:
    pairs, counts = both_ways(np.array([[3, 1], [1, 3], [0, 2]]), np.array([2, 5, 1]))
    assert pairs.tolist() == [[0, 2], [1, 3]]
    assert counts.tolist() == [1, 7]


def test_groups_lie_apart_and_phones_alone_below() -> None:
    inside = np.array([(a, b) for a in range(8) for b in range(a)])
    pairs = np.concatenate([inside, inside + 8, [[0, 8]]])
    places = places_of(pairs, np.ones(len(pairs), np.int64), 18)
    first, second = places[:8], places[8:16]
    distance = np.linalg.norm(first.mean(axis=0) - second.mean(axis=0))
    assert distance > 2 * max(spread(first), spread(second))
    assert (places[16:, 1] < 0).all()
    assert (places[:16] >= 0).all()
    assert (places[:16] <= 1).all()
    assert np.array_equal(places, places_of(pairs, np.ones(len(pairs), np.int64), 18))


def test_a_part_goes_out_from_phone_0_and_on_where_that_ends() -> None:
    links = np.array([[0, 5], [5, 6], [1, 2], [3, 4]])
    assert part_around(links, 7, 7).tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert part_around(links, 7, 3).tolist() == [0, 5, 6]
    assert part_around(links, 7, 5).tolist() == [0, 1, 2, 5, 6]


def test_few_links_are_arrows_many_are_lines_and_the_strongest_alone() -> None:
    few = drawn(ring(40))
    assert len(few.patches) == 38
    assert lines(few) == 0
    many = drawn(ring(400))
    assert len(many.patches) == 0
    assert lines(many) == 398
    assert many.get_title() == "398 links (phones without any at the bottom: 1)"


def test_what_is_left_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_plot, "MOST_PHONES", 350)
    monkeypatch.setattr(network_plot, "MOST_LINES", 310)
    axis = drawn(ring(400))
    assert lines(axis) == 310
    assert axis.get_title() == ("the 350 phones nearest to phone 0, the strongest 310 of 349 links")


def test_numbers_fit_their_cells() -> None:
    assert [short(n) for n in (0, 9_999, 10_400, 999_499, 999_500, 12_345_678)] == [
        "0",
        "9999",
        "10k",
        "999k",
        "1.0M",
        "12.3M",
    ]
