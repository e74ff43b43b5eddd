"""Scores of 100,000 items of one user: codes against a tensor chain that takes as many bytes.

8 codebooks of 32, vectors of 64 numbers: 565,536 bytes; a chain of two cores of rank 28: 567,168.
Codes are scored by look-up (EODRec), the chain (OD-Rec) core by core, which is the fastest way that
we know; expanded to its vectors for each user it takes hundreds of times as long.
"""

import time
from typing import Any

WHAT = "scores of 100,000 items of codes, one user at a time"
UNIT = "users/s"
BASELINE = "a tensor chain of as many bytes, core by core"

ITEMS, DIM, BOOKS, WORDS, RANK, USERS = 100_000, 64, 8, 32, 28, 10


def rate(score: Any) -> float:
    """Return how many users a second are scored."""
    import torch

    torch.set_num_threads(1)
    start = time.perf_counter()
    for user in vectors(USERS):
        score(user[None])
    return USERS / (time.perf_counter() - start)


def vectors(rows: int) -> Any:
    """Return vectors drawn from the standard normal distribution, float32."""
    import numpy as np

    from droidloop.platform.draws import Draws

    drawn = Draws(1, "chain").normal(np.arange(rows)[:, None], np.arange(DIM))
    return drawn.astype(np.float32)


def by_codes(items: int) -> float:
    """Return users a second by look-up."""
    import numpy as np

    from droidloop.models.tables.code_scores import bytes_of, look_up_scores
    from droidloop.models.tables.coding import Coded
    from droidloop.platform.draws import Draws

    codes = Draws(1, "codes").integers(np.arange(items)[:, None], np.arange(BOOKS), WORDS)
    coded = Coded(codes, vectors(BOOKS * WORDS).reshape(BOOKS, WORDS, DIM))
    packed = bytes_of(coded)
    return rate(lambda user: look_up_scores(user, packed, coded.words))


def prepare() -> None:
    """Compile what `measure` calls."""
    by_codes(1000)


def measure() -> float:
    """Return users a second by look-up."""
    return by_codes(ITEMS)


def baseline() -> float:
    """Return users a second by a chain, core by core."""
    import torch

    from droidloop.models.packages.exportable import scoring_table
    from droidloop.models.tables.tensor_chain import TensorChainTable
    from droidloop.platform.draws import Draws

    table = TensorChainTable(ITEMS, DIM, RANK)
    scorer = scoring_table(table, table.init(Draws(1, "chain"))).module()
    with torch.no_grad():
        return rate(lambda user: scorer(user=torch.from_numpy(user)))
