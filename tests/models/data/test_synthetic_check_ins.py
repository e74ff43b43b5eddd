"""Synthetic check-ins: homes, habits and hours; a user depends on the user's row alone."""

import numpy as np
import pytest

from droidloop.models.data.interactions import by_user
from droidloop.models.data.synthetic_check_ins import City, generate_check_ins
from droidloop.platform.draws import Draws

DRAWS = Draws(3, "check-ins")
EVENTS, PLACES = generate_check_ins(60, 240, 40, DRAWS)


def test_times_rise_and_numbers_of_visits_are_about_what_was_asked_for() -> None:
    visits = by_user(EVENTS)
    assert visits.items.tolist() == EVENTS.items.tolist()
    assert visits.counts.min() >= 3
    assert len(PLACES) == EVENTS.n_items == 240
    many = by_user(generate_check_ins(2000, 240, 40, DRAWS)[0]).counts
    assert abs(many.mean() - 40) < 4 * many.std() / np.sqrt(len(many))
    assert abs(np.log(many).std() - City().activity_sigma) < 0.05


def test_people_come_back_and_live_somewhere() -> None:
    visits, at_km = by_user(EVENTS), PLACES.plane_km()
    spread = np.mean([at_km[visits.of(u)].std(axis=0).mean() for u in range(60)])
    assert spread < 0.8 * at_km.std(axis=0).mean()
    distinct = np.mean([len(np.unique(visits.of(u))) / len(visits.of(u)) for u in range(60)])
    assert 0.2 < distinct < 0.6


def test_a_kind_of_place_has_its_hours() -> None:
    """A wrapped normal of that standard deviation has this mean resultant length."""
    events, places = generate_check_ins(400, 240, 40, DRAWS)
    turn = np.exp(2j * np.pi * (events.times_s // 3600 % 24) / 24)
    kinds = places.category[events.items]
    tight = [abs(turn[kinds == kind].mean()) for kind in range(places.categories)]
    expected = np.exp(-((2 * np.pi * City().hour_sd / 24) ** 2) / 2)
    assert np.abs(np.array(tight) - expected).max() < 0.1


def test_the_first_users_of_a_larger_population_are_those_of_a_smaller_one() -> None:
    more, same = generate_check_ins(80, 240, 40, DRAWS)
    n = len(EVENTS)
    assert more.items[:n].tolist() == EVENTS.items.tolist()
    assert more.times_s[:n].tolist() == EVENTS.times_s.tolist()
    assert same.latitude.tolist() == PLACES.latitude.tolist()


def test_a_city_of_few_places_is_enough() -> None:
    events, places = generate_check_ins(5, 3, 10, DRAWS)
    assert set(events.items.tolist()) <= {0, 1, 2}
    assert len(places) == 3


def test_what_cannot_be_made_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        generate_check_ins(5, 3, 2, DRAWS)
    with pytest.raises(ValueError, match="at least one district"):
        City(districts=0)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        City(again=1.5)
