"""Scores by look-up are the products with the sums of codewords."""

import numpy as np

from droidloop.models.tables.code_scores import bytes_of, look_up_scores
from droidloop.models.tables.coding import Coded
from droidloop.platform.draws import Draws

DRAWS = Draws(5, "code scores")


def test_the_scores_are_the_products_to_the_fifth_place() -> None:
    codes = DRAWS.integers(np.arange(500)[:, None], np.arange(8), 32)
    words = DRAWS.normal(np.arange(8 * 32)[:, None], np.arange(64)).astype(np.float32) * 0.1
    users = DRAWS.child("users").normal(np.arange(3)[:, None], np.arange(64)).astype(np.float32)
    coded = Coded(codes, words.reshape(8, 32, 64))
    found = look_up_scores(users, bytes_of(coded), coded.words)
    np.testing.assert_allclose(found, users @ coded.vectors.T, atol=1e-5)
