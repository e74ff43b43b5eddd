"""Place vectors that a server trains from places alone, before any check-in is seen.

The two self-supervised signals of DCLR (Long et al., ACM TOIS 2023): a place resembles the places
near it, and the places of its category. Each signal is a skip-gram with negative sampling
(Mikolov et al. 2013): the related place against places drawn at random. No user data are used.
"""

import numpy as np

from droidloop.models.data.places import Places
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.draws import Draws, below_at
from droidloop.platform.law import kernel


def pretrained(
    places: Places,
    dim: int,
    draws: Draws,
    *,
    near: int = 10,
    epochs: int = 30,
    negatives: int = 5,
    step: float = 0.05,
    length: float = 0.3,
) -> Float32Array:
    """Return vectors of all places, (n, dim), of root mean square *length* / sqrt(dim) a number.

    Args:
        places: where they are and of what category; without a category only nearness counts.
        dim: the length of a vector in numbers.
        draws: the chance.
        near: how many of the nearest places count as near.
        epochs: in each, every place meets one near place and one of its category.
        negatives: places drawn at random against each of the two.
        step: of plain SGD.
        length: the mean Euclidean length of the result.
    """
    n = len(places)
    vectors = normal_rows(draws.child("first"), np.arange(n), dim, 0.1)
    around = nearest(places.plane_km(), np.arange(n), min(near, n - 1))
    order = np.argsort(places.category, kind="stable")
    starts = np.searchsorted(places.category[order], np.arange(places.categories + 1))
    key = np.uint64(draws.child("pairs").key)
    _train(vectors, around, places.category, order, starts, epochs, negatives, step, key)
    vectors -= vectors.mean(axis=0)
    norm = np.sqrt((vectors**2).sum(axis=1, dtype=np.float64).mean())
    return np.asarray(vectors * (length / max(norm, 1e-9)), np.float32)


@kernel
def nearest(at_km: Float32Array, items: IntArray, k: int) -> IntArray:
    """Return the *k* places nearest to each of *items*, itself left out, nearest first."""
    out = np.empty((items.size, k), np.int64)
    gap = np.empty(at_km.shape[0], np.float32)
    for row in range(items.size):
        for j in range(gap.size):
            east = at_km[items[row], 0] - at_km[j, 0]
            north = at_km[items[row], 1] - at_km[j, 1]
            gap[j] = east * east + north * north
        gap[items[row]] = np.inf
        out[row] = np.argsort(gap, kind="mergesort")[:k]
    return out


@kernel
def _pull(
    vectors: Float32Array, one: int, other: int, negatives: int, step: float, key: np.uint64,
    counter: int,
) -> None:  # fmt: skip
    """Take a step for the pair (*one*, *other*) against *negatives* places drawn for *one*."""
    dim = vectors.shape[1]
    for k in range(negatives + 1):
        item = np.int64(other)
        if k > 0:
            item = np.int64(below_at(key, one, counter + k, vectors.shape[0]))
        if item == one:
            continue
        score = np.float32(0)
        for j in range(dim):
            score += vectors[one, j] * vectors[item, j]
        slope = np.float32(1.0 / (1.0 + np.exp(-score))) - np.float32(1 if k == 0 else 0)
        for j in range(dim):
            before = vectors[one, j]
            vectors[one, j] -= np.float32(step) * slope * vectors[item, j]
            vectors[item, j] -= np.float32(step) * slope * before


@kernel
def _train(
    vectors: Float32Array,
    around: IntArray,
    category: IntArray,
    order: IntArray,
    starts: IntArray,
    epochs: int,
    negatives: int,
    step: float,
    key: np.uint64,
) -> None:
    """Let every place meet, in each epoch, a near place and one of its category."""
    counter = 0
    for _ in range(epochs):
        for place in range(vectors.shape[0]):
            if around.shape[1] > 0:
                friend = around[place, below_at(key, place, counter, around.shape[1])]
                _pull(vectors, place, friend, negatives, step, key, counter)
            kind = category[place]
            if kind >= 0:
                low, high = starts[kind], starts[kind + 1]
                at = np.int64(below_at(key, place, counter + negatives + 1, high - low))
                friend = order[low + at]
                _pull(vectors, place, friend, negatives, step, key, counter + negatives + 1)
        counter += 2 * (negatives + 1)
