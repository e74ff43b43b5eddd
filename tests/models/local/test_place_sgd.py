"""What a visit is told from in training."""

import numpy as np
import pytest

from droidloop.models.local.place_sgd import Local, draw_candidates

AREA = np.arange(0, 60, 2)
VISITED = np.array([4, 8, 8, 10, 4, 20])


def drawn(chosen: int, *, unvisited: bool, phone: int = 0) -> np.ndarray:
    """Return the candidates for visit *chosen* after those before it."""
    own = Local(VISITED, 3600 * np.arange(len(VISITED)), AREA, np.full(60, -1))
    counts = np.bincount(VISITED[:chosen], minlength=60)
    candidates = np.empty(40, np.int64)
    draw_candidates(
        *(own, len(AREA), chosen, candidates, np.uint64(7), phone, 100, counts, unvisited)
    )
    return candidates


@pytest.mark.parametrize("phone", range(5))
def test_a_first_visit_may_be_told_from_unvisited_places_of_the_area_alone(phone: int) -> None:
    candidates = drawn(5, unvisited=True, phone=phone)
    assert candidates[0] == 20
    others = candidates[1:][candidates[1:] >= 0]
    assert len(others) > 20
    assert np.isin(others, AREA).all()
    assert not np.isin(others, VISITED).any()


def test_a_return_is_told_from_the_same_places_either_way() -> None:
    assert (drawn(4, unvisited=True) == drawn(4, unvisited=False)).all()


def test_half_of_the_places_are_visited_ones_otherwise() -> None:
    candidates = drawn(5, unvisited=False)
    assert np.isin(candidates[2::2][candidates[2::2] >= 0], VISITED).all()
    assert not (candidates[1:] == 20).any()
