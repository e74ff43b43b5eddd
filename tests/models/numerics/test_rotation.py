"""Rotations towards signs: each round lowers what signs lose, and nothing else changes."""

import numpy as np

from droidloop.models.numerics.rotation import loss_of, nearest_to_signs
from droidloop.platform.draws import Draws

DRAWS = Draws(5, "rotation")
VECTORS = DRAWS.normal(np.arange(200)[:, None], np.arange(8))


def test_it_is_a_rotation_and_more_rounds_lose_less() -> None:
    losses = []
    for rounds in (0, 1, 3, 10):
        rotation = nearest_to_signs(VECTORS, DRAWS, rounds)
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(8), atol=1e-12)
        losses.append(loss_of(VECTORS, rotation))
    assert np.all(np.diff(losses) < 0)


def test_signs_that_were_turned_are_found_again() -> None:
    signs = np.where(DRAWS.child("signs").normal(np.arange(400)[:, None], np.arange(4)) >= 0, 1, -1)
    away = np.linalg.qr(DRAWS.child("away").normal(np.arange(4)[:, None], np.arange(4)))[0]
    best = min(
        loss_of(signs @ away, nearest_to_signs(signs @ away, DRAWS.child(k))) for k in range(5)
    )
    assert best < 1e-12
