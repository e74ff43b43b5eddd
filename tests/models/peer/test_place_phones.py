"""Phones with a next-place model: areas, first values, and scores as torch computes them."""

import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import by_user, union
from droidloop.models.data.places import counted
from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.local.place_sgd import chosen_visits
from droidloop.models.peer.place_phones import PlacePhones, areas_of
from droidloop.platform.draws import Draws

DRAWS = Draws(13, "place phones")
EVENTS, TOWN = generate_check_ins(12, 60, 15, DRAWS)
SPLIT = leave_one_out(EVENTS)
PLACES = counted(TOWN, SPLIT.train)
DIMS = np.array([4, 8, 6])[np.arange(12) % 3]
PHONES = PlacePhones(PLACES, SPLIT.train, DIMS, DRAWS, held=20, length=6)


def test_an_area_holds_what_was_visited_and_then_what_is_near() -> None:
    at_km, visited = PLACES.plane_km(), union(SPLIT.train)
    for user, area in enumerate(PHONES.known.areas):
        mine = visited.of(user)
        assert (np.diff(area) > 0).all()
        assert np.isin(mine, area).all()
        gap = np.linalg.norm(at_km[:, None] - at_km[mine][None], axis=2).min(axis=1)
        outside = np.setdiff1d(np.arange(60), area)
        assert gap[area].max() <= gap[outside].min() + 1e-6


def test_without_visits_an_area_is_the_middle_of_town_and_few_places_fill_no_area() -> None:
    at_km = np.array([[5, 0], [0, 1], [0, 0]], np.float32)
    none = np.zeros(0, np.int64)
    assert areas_of(at_km, none, np.array([0, 0]), 2).tolist() == [[1, 2]]
    assert areas_of(at_km, none, np.array([0, 0]), 4).tolist() == [[0, 1, 2, -1]]


def test_first_values_do_not_depend_on_who_else_is_asked_for() -> None:
    some, every = PHONES.store(), PHONES.store()
    some.ensure(np.array([7, 2]))
    every.ensure(np.arange(12))
    for name, column in some.columns.items():
        assert column[[7, 2]].tobytes() == every.columns[name][[7, 2]].tobytes()
    assert not some.known[0]


def test_phones_of_one_size_begin_alike_but_for_their_user() -> None:
    store = PHONES.store()
    store.ensure(np.arange(12))
    assert (store.columns["network"][0] == store.columns["network"][3]).all()
    assert (store.columns["network"][0] != store.columns["network"][1]).any()
    assert (store.columns["user"][0] != store.columns["user"][3]).any()
    assert (store.columns["user"][0, 4:] == 0).all()
    assert (store.columns["rows"][0, :, 4] == PLACES.popularity()[PHONES.known.areas[0]]).all()


@pytest.mark.parametrize("phone", [0, 1, 2])
def test_scores_are_those_of_torch(phone: int) -> None:
    store = PHONES.store()
    store.ensure(np.arange(12))
    store.columns["rows"] += DRAWS.child("move").normal(np.arange(9), 0).astype(np.float32) * 0.1
    users, now_s = np.array([phone]), SPLIT.valid.times_s
    scores = PHONES.scorer(store, SPLIT.train, now_s)(users)
    model = PHONES.recommender(phone)
    context = model.context_of(SPLIT.train.take(users), now_s[users], PHONES.length)
    every = torch.arange(60)[None]
    wanted = model.score(
        PHONES.params(store, phone), torch.zeros((1, 1), dtype=torch.int64), every, context
    )
    np.testing.assert_allclose(scores, wanted.numpy(), rtol=1e-6)


def test_a_user_without_history_gets_what_is_popular() -> None:
    nobody = by_user(EVENTS).take(np.arange(12))
    empty = type(nobody).bare(nobody.items[:0], np.zeros(13, np.int64))
    scores = PHONES.scorer(PHONES.store(), empty, SPLIT.valid.times_s)(np.arange(12))
    assert (scores == PLACES.popularity()).all()


def test_chosen_visits_are_distinct_rising_and_never_the_first() -> None:
    key = np.uint64(5)
    assert chosen_visits(5, 10, key, 0).tolist() == [1, 2, 3, 4]
    assert chosen_visits(1, 10, key, 0).tolist() == chosen_visits(0, 10, key, 0).tolist() == []
    some = chosen_visits(100, 10, key, 3)
    assert len(some) == len(np.unique(some)) == 10
    assert (np.diff(some) > 0).all()
    assert some.min() >= 1


def test_sizes_must_fit_the_phones() -> None:
    with pytest.raises(ValueError, match="sizes for 12 phones"):
        PlacePhones(PLACES, SPLIT.train, DIMS[:3], DRAWS)
