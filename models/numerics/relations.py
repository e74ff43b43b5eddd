"""Relations among items, and how tables of several sizes agree on them.

Yuan et al., HeteFedRec (ICDE 2024), relation-based ensemble distillation: tables of different
widths cannot be averaged, but the similarities of the same items in each of them can.
"""

from collections.abc import Sequence

import numpy as np

from droidloop.platform.arrays import Array, FloatArray, IntArray

_LEAST = 1e-9


def similarities(vectors: Array) -> FloatArray:
    """Return the cosine of every two of *vectors*, (n, dim), as (n, n)."""
    unit = _unit(vectors)[0]
    return _product(unit, unit.T)


def agreed(tables: Sequence[Array], items: IntArray, step: float, passes: int) -> list[FloatArray]:
    """Return the rows *items* of *tables*, moved towards the mean of all similarities.

    Each table goes down the slope of the mean square of what its similarities lack, *passes* times
    by *step* times the number of items; the mean is that of before. Bits do not depend on threads.
    """
    rows = [np.asarray(table[items], np.float64) for table in tables]
    wanted = np.mean([similarities(one) for one in rows], axis=0)
    for _ in range(passes):
        rows = [one - step * _slope(one, wanted) for one in rows]
    return rows


def _slope(vectors: FloatArray, wanted: FloatArray) -> FloatArray:
    """Return n times the slope of mean((similarities - wanted)^2) in *vectors*, (n, dim)."""
    unit, length = _unit(vectors)
    lacks = _product(unit, unit.T) - wanted
    pull = 4.0 / len(vectors) * _product(lacks, unit)
    along = (pull * unit).sum(axis=1, keepdims=True)
    return np.asarray((pull - along * unit) / length)


def _unit(vectors: Array) -> tuple[FloatArray, FloatArray]:
    values = np.asarray(vectors, np.float64)
    length = np.maximum(np.sqrt(np.square(values).sum(axis=1, keepdims=True)), _LEAST)
    return values / length, length


def _product(one: FloatArray, other: FloatArray) -> FloatArray:
    # einsum sums in one order; a matrix product of BLAS in one that depends on its threads
    return np.asarray(np.einsum("ij,jk->ik", one, other))
