"""How much of a list of recommendations survives compression."""

import numpy as np
from numpy.typing import NDArray

from droidloop.platform.arrays import Array


def overlap_by_user(
    a: Array, b: Array, k: int = 10, seen: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Return for each user the share of items common to the top *k* of *a* and *b*, both (m, n).

    Ties go to the lower item. With a mask *seen* (m, n) those items are out of the question; a
    user with fewer than *k* unseen items counts by those, one with none is NaN.
    """
    if a.shape != b.shape or a.ndim != 2 or k < 1:
        raise ValueError(f"cannot compare the top {k} of scores {a.shape} and {b.shape}")
    shares = np.full(len(a), np.nan)
    for row in range(len(a)):
        open_items = np.arange(a.shape[1]) if seen is None else np.flatnonzero(~seen[row])
        depth = min(k, len(open_items))
        if depth:
            top_a, top_b = (_top(scores[row, open_items], depth) for scores in (a, b))
            shares[row] = len(np.intersect1d(top_a, top_b, assume_unique=True)) / depth
    return shares


def _top(scores: Array, k: int) -> NDArray[np.int64]:
    """Return the numbers of the *k* highest *scores*, ties by number."""
    least = np.partition(scores, len(scores) - k)[len(scores) - k]
    candidates = np.flatnonzero(scores >= least)
    return candidates[np.argsort(-scores[candidates], kind="stable")[:k]]
