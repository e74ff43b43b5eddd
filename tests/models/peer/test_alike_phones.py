"""Neighbours: by place, by kind of place, by chance, by nobody."""

import numpy as np
import pytest

from droidloop.models.data.interactions import UserItems, by_user
from droidloop.models.data.places import UNKNOWN, Places
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.peer.alike_phones import NOBODY, by_category, by_chance, by_place, most_alike
from droidloop.network.topology import from_edges
from droidloop.platform.draws import Draws

EVENTS, PLACES = generate_check_ins(50, 240, 40, Draws(5, "neighbours"))
VISITS = by_user(EVENTS)


def distance_km(pairs: np.ndarray) -> float:
    at_km = PLACES.plane_km()
    home = np.stack([np.median(at_km[VISITS.of(u)], axis=0) for u in range(50)])
    return float(np.linalg.norm(home[pairs[:, 0]] - home[pairs[:, 1]], axis=1).mean())


def difference(pairs: np.ndarray) -> float:
    kinds = [np.bincount(PLACES.category[VISITS.of(u)], minlength=8) for u in range(50)]
    share = np.stack(kinds) / VISITS.counts[:, None]
    return float(np.abs(share[pairs[:, 0]] - share[pairs[:, 1]]).sum(axis=1).mean())


def test_neighbours_by_place_live_near_and_those_by_category_like_the_same() -> None:
    near, alike = by_place(VISITS, PLACES, 4), by_category(VISITS, PLACES, 4)
    chance = by_chance(50, 4, Draws(5, "chance"))
    assert len(alike) == len(chance) == 200
    assert distance_km(near) < 0.6 * min(distance_km(alike), distance_km(chance))
    assert difference(alike) < 0.7 * min(difference(near), difference(chance))


def test_nobody_is_a_neighbour_of_oneself_or_twice() -> None:
    for pairs in (by_place(VISITS, PLACES, 4), by_chance(50, 4, Draws(5, "chance"))):
        assert (pairs[:, 0] != pairs[:, 1]).all()
        assert len(np.unique(pairs, axis=0)) == len(pairs)


def test_pairs_make_a_topology_and_isolation_one_without_edges() -> None:
    assert (from_edges(50, by_chance(50, 4, Draws(5, "chance"))).degrees >= 4).all()
    assert len(from_edges(50, NOBODY).edges) == 0


def test_the_most_alike_come_first_ties_by_number_and_strangers_never() -> None:
    items = np.array([0, 1, 0, 1, 0, 0, 2])
    visits = UserItems.bare(items, np.array([0, 2, 4, 6, 7, 7]))
    pairs = most_alike(visits, np.arange(3), 2)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 0], [1, 2], [2, 0], [2, 1]]


def test_few_users_have_all_others_as_neighbours() -> None:
    assert len(by_chance(3, 10, Draws(5, "few"))) == 6


def test_places_without_a_category_have_no_semantic_neighbours() -> None:
    unknown = Places(
        PLACES.latitude, PLACES.longitude, np.full(len(PLACES), UNKNOWN), PLACES.labels
    )
    with pytest.raises(ValueError, match="category of every place"):
        by_category(VISITS, unknown, 4)
