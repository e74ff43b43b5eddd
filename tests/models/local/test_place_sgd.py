"""What a first visit is told from in training."""

import numpy as np
import pytest

from droidloop.models.local.place_sgd import Local, draw_candidates

AREA = np.arange(0, 60, 2)
VISITED = np.array([4, 8, 8, 10, 4, 20])


@pytest.mark.parametrize("phone", range(5))
def test_a_first_visit_is_told_from_unvisited_places_of_the_area(phone: int) -> None:
    own = Local(VISITED, 3600 * np.arange(len(VISITED)), AREA, np.full(60, -1))
    candidates = np.empty(40, np.int64)
    draw_candidates(*(own, len(AREA), VISITED[:5], 20, candidates, np.uint64(7), phone, 100))
    assert candidates[0] == 20
    others = candidates[1:][candidates[1:] >= 0]
    assert len(others) > 20
    assert np.isin(others, AREA).all()
    assert not np.isin(others, VISITED).any()
