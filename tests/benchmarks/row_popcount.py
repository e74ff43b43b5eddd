"""Scores of a million items of 64 signs, one user at a time: XOR and popcount.

The baseline is the product of float32 numbers, 64 a vector.
"""

import time
from typing import Any

WHAT = "scores of 1,000,000 items of 64 signs, one user at a time, by popcount"
UNIT = "users/s"
BASELINE = "float32 products with vectors of 64"

ITEMS, DIM, USERS = 1_000_000, 64, 20


def rate(score: Any) -> float:
    """Return how many users a second are scored."""
    start = time.perf_counter()
    for user in range(USERS):
        score(user)
    return USERS / (time.perf_counter() - start)


def vectors(purpose: str, rows: int) -> Any:
    """Return vectors drawn from the standard normal distribution, float32."""
    import numpy as np

    from droidloop.platform.draws import Draws

    drawn = Draws(1, purpose).normal(np.arange(rows)[:, None], np.arange(DIM))
    return drawn.astype(np.float32)


def measure() -> float:
    """Return users a second by popcount."""
    from droidloop.models.tables.binary import codes_of, popcount_scores

    users, items = codes_of(vectors("users", USERS)), codes_of(vectors("items", ITEMS))
    return rate(lambda user: popcount_scores(users[user : user + 1], items, DIM))


def baseline() -> float:
    """Return users a second by products."""
    users, items = vectors("users", USERS), vectors("items", ITEMS)
    return rate(lambda user: users[user : user + 1] @ items.T)
