"""Places: distances in the plane, look-up by name, and categories made of hours."""

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places, by_hours
from droidloop.platform.draws import Draws


def places(n: int = 4) -> Places:
    rows = np.arange(n)
    latitude = np.linspace(40.0, 40.0 + 0.01 * (n - 1), n)
    longitude = np.linspace(-74.0, -74.0 + 0.02 * (n - 1), n)
    return Places(latitude, longitude, rows % 2, 10 * rows)


def test_a_degree_of_latitude_is_111_km_and_one_of_longitude_less() -> None:
    at_km = places().plane_km()
    assert at_km.dtype == np.float32
    np.testing.assert_allclose(np.diff(at_km[:, 1]), 1.11195, rtol=1e-5)
    np.testing.assert_allclose(np.diff(at_km[:, 0]), 2.2239 * np.cos(np.radians(40.015)), rtol=1e-5)
    np.testing.assert_allclose(at_km.mean(axis=0), 0, atol=1e-5)


def test_places_are_found_by_name_in_the_order_asked_for() -> None:
    some = places().of(np.array([30, 0]))
    assert some.latitude.tolist() == [40.03, 40.0]
    assert some.category.tolist() == [1, 0]
    with pytest.raises(ValueError, match="no places"):
        places().of(np.array([30, 5]))


def test_columns_have_one_length() -> None:
    with pytest.raises(ValueError, match="lengths"):
        Places(np.zeros(2), np.zeros(2), np.zeros(3, np.int64), np.arange(2))


def test_places_visited_at_the_same_hours_are_of_one_category_the_commonest_first() -> None:
    hours = np.array([9, 9, 9, 21, 21, 10])
    items = np.array([0, 0, 1, 2, 2, 3])
    visits = UserItems(items, np.array([0, 6]), hours * 3600, np.ones(6))
    made = by_hours(places(), visits, 2, Draws(1, "categories"))
    assert made.category.tolist() == [0, 0, 1, 0]
    assert made.categories == 2
