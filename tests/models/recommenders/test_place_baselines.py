"""Baselines of the next place, against what can be counted by hand."""

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places, counted
from droidloop.models.recommenders.place_baselines import (
    PLACE_BASELINES,
    OwnVisits,
    PopularNear,
    VisitsThenNear,
)

HOUR_S = 3600
# Places lie on a meridian, a hundredth of a degree (1.1 km) apart.
PLACES = Places(
    np.array([0.0, 0.01, 0.02, 0.03, 0.04]), np.zeros(5), np.zeros(5, np.int64), np.arange(5)
)


def visits(*users: list[tuple[int, int]]) -> UserItems:
    """Return visits as (place, hour) by user."""
    flat = np.array([one for user in users for one in user], np.int64).reshape(-1, 2)
    offsets = np.concatenate([[0], np.cumsum([len(user) for user in users])]).astype(np.int64)
    return UserItems(flat[:, 0], offsets, flat[:, 1] * HOUR_S, np.ones(len(flat)))


HISTORY = visits([(1, 0), (1, 24), (3, 30)], [], [(0, 5)])
TOWN = counted(PLACES, visits([(0, 0), (0, 1)], [(0, 0), (4, 0)], [(2, 0)]))
NOW_S = np.array([54, 54, 54]) * HOUR_S


def test_visitors_are_counted_once_each() -> None:
    assert TOWN.visitors is not None
    assert TOWN.visitors.tolist() == [2, 0, 1, 0, 1]


def test_own_visits_are_counts() -> None:
    found = OwnVisits(5)(HISTORY, NOW_S)
    assert found.tolist() == [[0, 2, 0, 1, 0], [0] * 5, [1, 0, 0, 0, 0]]


def test_by_hour_a_visit_counts_by_how_far_its_hour_is_from_now_on_a_circle() -> None:
    found = OwnVisits(5, width_h=2.0)(HISTORY, NOW_S)[0]  # now it is 6 o'clock
    np.testing.assert_allclose(found[[1, 3]], [2 * np.exp(-3.0), 1.0], rtol=1e-6)


def test_by_age_a_visit_counts_less_the_older_it_is() -> None:
    found = OwnVisits(5, power=0.5)(HISTORY, NOW_S)[0]
    np.testing.assert_allclose(found[[1, 3]], [55**-0.5 + 31**-0.5, 25**-0.5], rtol=1e-6)


@pytest.mark.parametrize(("home", "middle"), [(False, 3), (True, 1)])
def test_what_is_popular_counts_by_its_distance_from_the_last_place_or_from_home(
    home: bool, middle: int
) -> None:
    found = PopularNear(TOWN, 2.0, 0.5, home)(HISTORY, NOW_S)
    km = 1.11195 * np.abs(np.arange(5) - middle)
    np.testing.assert_allclose(found[0], [2, 0, 1, 0, 1] / (km + 0.5) ** 2, rtol=1e-3)
    assert found[1].tolist() == [2, 0, 1, 0, 1]


def test_behind_what_was_visited_comes_what_is_near() -> None:
    near = PopularNear(TOWN)
    both = VisitsThenNear(OwnVisits(5), near)(HISTORY, NOW_S)[0]
    assert np.argsort(-both, kind="stable")[:2].tolist() == [1, 3]
    new = [0, 2, 4]
    assert np.argsort(both[new]).tolist() == np.argsort(near(HISTORY, NOW_S)[0][new]).tolist()
    assert both[new].max() < 1


@pytest.mark.parametrize("name", PLACE_BASELINES)
def test_every_setting_of_every_baseline_scores_all_places(name: str) -> None:
    settings = list(PLACE_BASELINES[name](TOWN))
    assert len({str(setting) for setting, _ in settings}) == len(settings) >= 1
    for _, scorer in settings:
        scores = scorer(HISTORY, NOW_S)
        assert scores.shape == (3, 5)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
