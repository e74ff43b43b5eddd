"""What a fold does with every number of a message, compiled; see ``folds.py``."""

import numpy as np

from droidloop.models.numerics.bounds import LARGEST
from droidloop.platform.arrays import BoolArray, Float32Array, FloatArray, IntArray
from droidloop.platform.law import kernel


@kernel
def find_peaks(
    low: int, high: int, values: Float32Array, offsets: IntArray, bound: float, peaks: FloatArray
) -> None:
    """Write *bound* or, if more, the largest magnitude in each message; infinity: not sane.

    Whether all are within the bound, a processor tells of many numbers at once; which is the
    largest, of one after the other.
    """
    limit = np.float32(bound)
    for k in range(low, high):
        small = True
        for t in range(offsets[k], offsets[k + 1]):
            for j in range(values.shape[1]):
                small &= abs(values[t, j]) <= limit
        peaks[k] = bound if small else _largest(values, offsets[k], offsets[k + 1])


@kernel
def _largest(values: Float32Array, start: int, end: int) -> float:
    peak = np.float32(0)
    for t in range(start, end):
        for j in range(values.shape[1]):
            if not abs(values[t, j]) <= LARGEST:
                return np.inf
            peak = max(peak, abs(values[t, j]))
    return float(peak)


@kernel
def encode(
    low: int,
    high: int,
    values: Float32Array,
    rows: IntArray,
    offsets: IntArray,
    sound: BoolArray,
    scale: FloatArray,
    start: Float32Array,
    out: IntArray,
) -> None:
    """Write each message that is *sound* as a table of its own: what ``fold`` would add.

    *out* is (messages, rows + 1, numbers + 1): the last number of a row is the weight of the row,
    and the last row holds that of the message, which is there already.
    """
    width, n = values.shape[1], out.shape[1] - 1
    for k in range(low, high):
        if not sound[k]:
            continue
        for t in range(offsets[k], offsets[k + 1]):
            row = rows[t] if rows.size > 0 else t - offsets[k]
            if row < 0 or row >= n:  # of a dishonest phone
                continue
            out[k, row, width] = out[k, n, width]
            for j in range(width):
                change = values[t, j] - start[row, j] if start.size > 0 else values[t, j]
                out[k, row, j] = np.int64(np.rint(np.float64(change) * scale[k]))


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
    extent: FloatArray,
    start: Float32Array,
    units: IntArray,
    row_weight: FloatArray,
) -> None:
    """Add the rows low..high-1 of all *taken* messages to *units* and *row_weight*.

    Each row counts as often as its *extent* says; once, if there is none.
    """
    for k in range(taken.size):
        if not taken[k]:
            continue
        factor = scale[k]
        for t in range(offsets[k], offsets[k + 1]):
            row = rows[t] if rows.size > 0 else t - offsets[k]
            if row < low or row >= high:
                continue
            often = extent[t] if extent.size > 0 else 1.0
            row_weight[row] += weight[k] * often
            for j in range(values.shape[1]):
                change = values[t, j] - start[row, j] if start.size > 0 else values[t, j]
                units[row, j] += np.int64(np.rint(np.float64(change) * factor * often))
