"""The ten best of a million items of codes (8 codebooks of 32, vectors of 64), one user at a time.

The baseline is the product of float32 numbers with the same vectors written out; both take the ten
best of the scores alike.
"""

import time
from typing import Any

WHAT = "ten best of 1,000,000 items of codes, one user at a time"
UNIT = "users/s"
BASELINE = "float32 products with the vectors written out"

ITEMS, DIM, BOOKS, WORDS, USERS, BEST = 1_000_000, 64, 8, 32, 20, 10


def made(items: int) -> Any:
    """Return users, codes and codewords."""
    import numpy as np

    from droidloop.models.tables.coding import Coded
    from droidloop.platform.draws import Draws

    draws = Draws(1, "codes top k")
    codes = draws.integers(np.arange(items)[:, None], np.arange(BOOKS), WORDS)
    words = draws.normal(np.arange(BOOKS * WORDS)[:, None], np.arange(DIM)).astype(np.float32)
    users = draws.child("users").normal(np.arange(USERS)[:, None], np.arange(DIM))
    return users.astype(np.float32), Coded(codes, words.reshape(BOOKS, WORDS, DIM))


def rate(score: Any, users: Any) -> float:
    """Return for how many of *users* a second the best are found by *score*."""
    import numpy as np

    start = time.perf_counter()
    for k in range(len(users)):
        np.argpartition(-score(users[k : k + 1])[0], BEST)[:BEST]
    return len(users) / (time.perf_counter() - start)


def look_up_rate(items: int) -> float:
    """Return users a second by look-up."""
    from droidloop.models.tables.code_scores import bytes_of, look_up_scores

    users, coded = made(items)
    codes = bytes_of(coded)
    return rate(lambda user: look_up_scores(user, codes, coded.words), users)


def prepare() -> None:
    """Compile what `measure` calls."""
    look_up_rate(1000)


def measure() -> float:
    """Return users a second by look-up."""
    return look_up_rate(ITEMS)


def baseline() -> float:
    """Return users a second by products."""
    import numpy as np

    users, coded = made(ITEMS)
    vectors = coded.vectors.astype(np.float32)
    return rate(lambda user: user @ vectors.T, users)
