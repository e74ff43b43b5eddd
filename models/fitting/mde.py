"""MDE: how wide the vectors of popular and of rare ids are, by a formula.

Ginart, Naumov, Mudigere, Yang, Zou: Mixed Dimension Embeddings with Application to Memory-Efficient
Recommendation Systems (2019): d_f = d_max (p_f / p_max)^alpha, where p_f is how often an id of
block f is asked for.
"""

import numpy as np

from droidloop.models.tables.mixed import MixedTable
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import DroidloopError

BLOCKS = 8
"""Of as many ids each, by popularity; ours: the paper leaves it to the data."""
_HALVINGS = 40


def widths_of(popularity: FloatArray, dim: int, alpha: float) -> tuple[int, ...]:
    """Return the width of each block by its *popularity*: rounded, from 1 to *dim*."""
    share = np.maximum(popularity, 1e-12) / max(float(popularity.max()), 1e-12)
    return tuple(np.clip(np.round(dim * share**alpha), 1, dim).astype(int).tolist())


def mde(
    counts: IntArray,
    dim: int,
    alpha: float,
    *,
    blocks: int = BLOCKS,
    name: str = "item",
    sd: float = 0.1,
) -> MixedTable:
    """Return the table of ids that were asked for *counts* (n,) times; alpha = 0: all are as wide.

    *blocks* of as many ids each, the most popular first; p_f is the mean count of a block.
    """
    order = np.argsort(-counts, kind="stable")
    block = np.empty(len(counts), np.int64)
    parts = np.array_split(order, min(blocks, len(counts)))
    for number, part in enumerate(parts):
        block[part] = number
    popularity = np.array([counts[part].mean() for part in parts])
    return MixedTable.of(block, widths_of(popularity, dim, alpha), dim, name=name, sd=sd)


def mde_within(
    counts: IntArray,
    dim: int,
    budget_bytes: int,
    *,
    blocks: int = BLOCKS,
    name: str = "item",
    sd: float = 0.1,
) -> MixedTable:
    """Return the table of the smallest alpha that takes at most *budget_bytes*, by halving.

    Raises:
        DroidloopError: one number an id is more.
    """
    low, high = 0.0, 64.0

    def made(alpha: float) -> MixedTable:
        return mde(counts, dim, alpha, blocks=blocks, name=name, sd=sd)

    if made(low).nbytes <= budget_bytes:
        return made(low)
    if made(high).nbytes > budget_bytes:
        raise DroidloopError(
            f"{budget_bytes} bytes hold no number of each of {len(counts)} ids and their maps; "
            f"give {made(high).nbytes} or more"
        )
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if made(middle).nbytes <= budget_bytes else (middle, high)
    return made(high)
