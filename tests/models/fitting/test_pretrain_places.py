"""Vectors of places from the two signals: near places and those of a kind lie together."""

import numpy as np

from droidloop.models.data.places import UNKNOWN, Places
from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.models.fitting.pretrain_places import nearest, pretrained
from droidloop.platform.draws import Draws

DRAWS = Draws(7, "vectors")
PLACES = generate_check_ins(1, 240, 5, DRAWS)[1]


def cosine(vectors: np.ndarray, one: np.ndarray, other: np.ndarray) -> float:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return float((unit[one] * unit[other]).sum(axis=1).mean())


def test_near_places_and_those_of_a_kind_are_more_alike_than_others() -> None:
    vectors, every = pretrained(PLACES, 16, DRAWS), np.arange(240)
    near = nearest(PLACES.plane_km(), every, 1)[:, 0]
    alike = np.roll(np.argsort(PLACES.category, kind="stable"), 1)
    ordered = np.argsort(PLACES.category, kind="stable")
    other = DRAWS.order(every, 0)
    base = cosine(vectors, every, other)
    assert cosine(vectors, every, near) > base + 0.2
    assert cosine(vectors, ordered[1:], alike[1:]) > base + 0.1
    np.testing.assert_allclose(np.sqrt((vectors**2).sum(axis=1).mean()), 0.3, rtol=1e-5)


def test_without_categories_nearness_is_left() -> None:
    unknown = Places(PLACES.latitude, PLACES.longitude, np.full(240, UNKNOWN), PLACES.labels)
    vectors, every = pretrained(unknown, 16, DRAWS), np.arange(240)
    near = nearest(PLACES.plane_km(), every, 1)[:, 0]
    assert cosine(vectors, every, near) > cosine(vectors, every, DRAWS.order(every, 0)) + 0.2


def test_the_nearest_come_first_without_the_place_itself() -> None:
    at_km = np.array([[0, 0], [3, 0], [1, 0], [1, 0]], np.float32)
    assert nearest(at_km, np.array([0, 2]), 2).tolist() == [[2, 3], [3, 0]]


def test_the_same_draws_give_the_same_vectors_and_others_do_not() -> None:
    first = pretrained(PLACES, 8, DRAWS, epochs=2)
    assert first.tobytes() == pretrained(PLACES, 8, DRAWS, epochs=2).tobytes()
    assert first.tobytes() != pretrained(PLACES, 8, Draws(8, "vectors"), epochs=2).tobytes()
