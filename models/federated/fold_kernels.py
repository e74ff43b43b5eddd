"""What a fold does with every number of a message, compiled; see ``aggregation.py``."""

import numpy as np

from droidloop.platform.arrays import BoolArray, Float32Array, FloatArray, IntArray
from droidloop.platform.law import kernel

_LARGEST = 2.0**20
"""A weighted change beyond this is refused: 8,192 of them fit a sum."""


@kernel
def find_broken(
    low: int,
    high: int,
    values: Float32Array,
    rows: IntArray,
    offsets: IntArray,
    n_rows: int,
    weight: FloatArray,
    sound: BoolArray,
) -> None:
    """Clear *sound* where a message cannot be added."""
    for k in range(low, high):
        first, end = offsets[k], offsets[k + 1]
        good = rows.size > 0 or end == first or end - first == n_rows
        for t in range(first, end if rows.size > 0 else first):
            good &= 0 <= rows[t] < n_rows
        bound = np.float32(_LARGEST / max(1.0, abs(weight[k])))
        for t in range(first, end):
            for j in range(values.shape[1]):
                good &= abs(values[t, j]) <= bound
        sound[k] &= good


@kernel
def fold(
    low: int,
    high: int,
    values: Float32Array,
    rows: IntArray,
    offsets: IntArray,
    taken: BoolArray,
    weight: FloatArray,
    scale: FloatArray,
    start: Float32Array,
    units: IntArray,
    row_weight: FloatArray,
) -> None:
    """Add the rows low..high-1 of all *taken* messages to *units* and *row_weight*."""
    for k in range(taken.size):
        if not taken[k]:
            continue
        factor = scale[k]
        for t in range(offsets[k], offsets[k + 1]):
            row = rows[t] if rows.size > 0 else t - offsets[k]
            if row < low or row >= high:
                continue
            row_weight[row] += weight[k]
            for j in range(values.shape[1]):
                change = values[t, j] - start[row, j] if start.size > 0 else values[t, j]
                units[row, j] += np.int64(np.rint(np.float64(change) * factor))
