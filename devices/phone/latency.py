"""How long phones would compute something, by the law that plays it."""

from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.law import kernel

from .play import compute_us
from .world import World


@kernel
def _each(world: World, rows: Any, out: IntArray) -> None:
    for k in range(len(rows)):
        out[k] = compute_us(world, rows[k])


def computing_us(world: World, rows: Any) -> IntArray:
    """Return how long the phone of each of the planned *rows* would compute, at full speed."""
    out = np.zeros(len(rows), np.int64)
    _each(world, rows, out)
    return out
