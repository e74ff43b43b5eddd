"""Items that nobody has had get the vectors that their features say."""

import numpy as np
import pytest

from droidloop.models.learning.new_items import vectors_by_features
from droidloop.platform.draws import Draws

DRAWS = Draws(5, "new items")


def drawn(rows: int, columns: int, counter: int) -> np.ndarray:
    return DRAWS.normal(np.arange(rows * columns), counter).reshape(rows, columns)


def test_where_features_tell_everything_a_new_item_gets_its_true_vector() -> None:
    features = drawn(60, 4, 0)
    vectors = features @ drawn(4, 3, 1) + np.array([1.0, -2.0, 0.5])
    known = np.arange(60) < 50
    told = np.where(known[:, None], vectors, 0.0)
    found = vectors_by_features(told, features, known, l2=1e-9)
    assert found[~known] == pytest.approx(vectors[~known], abs=1e-6)


def test_vectors_that_something_was_learned_of_stay_as_they_are_and_so_does_the_input() -> None:
    vectors, features = drawn(9, 2, 2), drawn(9, 3, 3)
    known, before = np.arange(9) != 4, vectors.copy()
    found = vectors_by_features(vectors, features, known)
    assert np.array_equal(found[known], before[known])
    assert np.array_equal(vectors, before)


def test_the_heavier_the_squares_the_nearer_a_new_item_is_to_the_mean_of_all() -> None:
    vectors, features = drawn(30, 2, 4), drawn(30, 3, 5)
    known = np.arange(30) != 7
    centre = vectors[known].mean(axis=0)
    far = [
        np.linalg.norm(vectors_by_features(vectors, features, known, l2=l2)[7] - centre)
        for l2 in (1.0, 100.0, 1e6)
    ]
    assert far == sorted(far, reverse=True)
    assert far[-1] < 1e-3


@pytest.mark.parametrize(
    ("rows", "known", "words"),
    [(3, np.ones(2, bool), "3 vectors, 3 features, 2 items"), (2, np.zeros(2, bool), "no item")],
)
def test_what_does_not_fit_is_refused(rows: int, known: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        vectors_by_features(np.zeros((rows, 2)), np.zeros((rows, 1)), known)
