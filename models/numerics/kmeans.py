"""k-means with chance from draws: the same points and draws give the same clusters, bit for bit.

Lloyd (1982) from the start of Arthur and Vassilvitskii, k-means++ (SODA 2007). Sums run in the
order of the points, so neither threads nor a library's version matter.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel


@dataclass(frozen=True)
class Clusters:
    """A partition of points.

    Attributes:
        labels: the cluster of each point, (n,).
        centers: (k, dim), float64.
        inertia: sum of the squared distances of the points to their centres.
        rounds: how often centres were moved.
    """

    labels: IntArray
    centers: FloatArray
    inertia: float
    rounds: int

    @property
    def sizes(self) -> IntArray:
        """Return how many points each cluster has, (k,)."""
        return np.bincount(self.labels, minlength=len(self.centers))

    def members(self, cluster: int) -> IntArray:
        """Return the numbers of the points of *cluster*, sorted."""
        return np.flatnonzero(self.labels == cluster)


def kmeans(
    points: Array,
    k: int,
    draws: Draws,
    counter: int = 0,
    *,
    start: FloatArray | None = None,
    most_rounds: int = 100,
) -> Clusters:
    """Return *k* clusters of *points* (n, dim), numbered as their first centres were.

    A cluster that loses all points takes the point farthest from its own centre, so clusters are
    empty only where there are fewer distinct points than clusters. Ties go to the lower number.

    Args:
        points: (n, dim), n at least 1.
        k: how many clusters.
        draws: the chance of the first centres.
        counter: another one gives another start.
        start: first centres, (k, dim), instead of drawn ones: clusters then keep their numbers
            when points move a little.
        most_rounds: moves of the centres, at most.

    Raises:
        ValueError: no points, no clusters, a value is not finite, or *start* has another shape.
    """
    values = np.ascontiguousarray(points, np.float64)
    if values.ndim != 2 or len(values) == 0 or k < 1:
        raise ValueError(f"no {k} clusters of points of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a point is not finite; leave diverged embeddings out of the clustering")
    centers = spread(values, k, draws, counter) if start is None else np.array(start, np.float64)
    if centers.shape != (k, values.shape[1]):
        raise ValueError(f"{centers.shape} is no start for {k} centres of {values.shape[1]} values")
    labels, distances = np.empty(len(values), np.int64), np.empty(len(values))
    rounds = _lloyd(values, centers, labels, distances, most_rounds)
    return Clusters(labels, centers, float(distances.sum()), rounds)


def spread(points: Array, k: int, draws: Draws, counter: int = 0) -> FloatArray:
    """Return *k* of *points* that lie far apart, (k, dim): the start of k-means++.

    Each next point is drawn with a probability in proportion to its squared distance from the
    points chosen so far; where all are chosen, uniformly.
    """
    values = np.ascontiguousarray(points, np.float64)
    chance = draws.child("spread").uniform(np.arange(k), counter)
    return _spread(values, chance)


def nearest(points: Array, centers: Array) -> IntArray:
    """Return the number of the centre nearest to each point, (n,); ties: the lower number."""
    values, places = (np.ascontiguousarray(array, np.float64) for array in (points, centers))
    labels, distances = np.zeros(len(values), np.int64), np.empty(len(values))
    _assign(values, places, labels, distances)
    return labels


def by_cluster_size(
    rows: IntArray, labels: IntArray, count: int, draws: Draws, counter: int
) -> IntArray:
    """Return *count* of *rows*, sorted: half at random, half in proportion to the cluster's size.

    The selection of Luo et al., PerFedRec (CIKM 2022): in the second half a row's weight is the
    size of its cluster. Nobody is chosen twice, and all are if there are no more.

    Args:
        rows: who can be chosen.
        labels: the cluster of each row by row number, -1: none yet, which counts as weight 1.
        count: how many to choose.
        draws: the chance; *counter* is the round.
        counter: see *draws*.
    """
    first = draws.child("any").choose(rows, count // 2, counter)
    rest = np.setdiff1d(rows, first)
    known = labels[labels >= 0]
    sizes = np.append(np.bincount(known, minlength=labels.max(initial=0) + 1), 1)
    # the smallest of exponential times with these rates (Efraimidis and Spirakis 2006)
    times = draws.child("weighted").exponential(rest, counter, 1.0) / sizes[labels[rest]]
    chosen = rest[np.lexsort((rest, times))[: max(0, count - len(first))]]
    return np.sort(np.concatenate([first, chosen]))


def some_of_each(
    rows: IntArray, labels: IntArray, count: int, draws: Draws, counter: int
) -> IntArray:
    """Return *count* of *rows*, sorted, as evenly over the clusters as their sizes allow.

    The selection of Muhammad et al., FedFast (KDD 2020): one at random of each cluster, then a
    second of each, until there are enough. Where *count* is at least the number of clusters among
    *rows*, every one of them is touched. Label -1 (none yet) counts as a cluster.

    Args:
        rows: who can be chosen.
        labels: the cluster of each row by row number.
        count: how many to choose.
        draws: the chance; *counter* is the round.
        counter: see *draws*.
    """
    order = draws.order(rows, counter)
    mine = labels[order]
    by_label = np.argsort(mine, kind="stable")
    starts = np.searchsorted(mine[by_label], mine[by_label])
    turn = np.empty(len(order), np.int64)
    turn[by_label] = np.arange(len(order)) - starts
    return np.sort(order[np.lexsort((np.arange(len(order)), turn))[:count]])


@kernel
def _distance(one: FloatArray, other: FloatArray) -> float:
    total = 0.0
    for j in range(one.size):
        total += (one[j] - other[j]) * (one[j] - other[j])
    return total


@kernel
def _spread(points: FloatArray, chance: FloatArray) -> FloatArray:
    centers = np.empty((chance.size, points.shape[1]))
    nearest_squared = np.full(len(points), np.inf)
    for c in range(chance.size):
        total = 0.0 if c == 0 else nearest_squared.sum()
        chosen = min(int(chance[c] * len(points)), len(points) - 1)
        if total > 0.0:
            left = chance[c] * total
            for n in range(len(points)):
                if nearest_squared[n] > 0.0:
                    chosen = n
                    left -= nearest_squared[n]
                    if left < 0.0:
                        break
        centers[c] = points[chosen]
        for n in range(len(points)):
            nearest_squared[n] = min(nearest_squared[n], _distance(points[n], centers[c]))
    return centers


@kernel
def _assign(
    points: FloatArray, centers: FloatArray, labels: IntArray, distances: FloatArray
) -> bool:
    """Give each point its nearest centre; return whether any label changed."""
    moved = False
    for n in range(len(points)):
        best, least = 0, np.inf
        for c in range(len(centers)):
            distance = _distance(points[n], centers[c])
            if distance < least:
                best, least = c, distance
        moved |= labels[n] != best
        labels[n], distances[n] = best, least
    return moved


@kernel
def _lloyd(
    points: FloatArray,
    centers: FloatArray,
    labels: IntArray,
    distances: FloatArray,
    most_rounds: int,
) -> int:
    labels[:] = -1
    _assign(points, centers, labels, distances)
    for moves in range(most_rounds):
        sizes = np.zeros(len(centers), np.int64)
        sums = np.zeros_like(centers)
        for n in range(len(points)):
            sizes[labels[n]] += 1
            sums[labels[n]] += points[n]
        for c in range(len(centers)):
            if sizes[c] > 0:
                centers[c] = sums[c] / sizes[c]
                continue
            farthest = np.argmax(distances)
            if distances[farthest] > 0.0:
                centers[c] = points[farthest]
                distances[farthest] = 0.0
        if not _assign(points, centers, labels, distances):
            return moves + 1
    return most_rounds
