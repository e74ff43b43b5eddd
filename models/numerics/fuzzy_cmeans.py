"""Fuzzy c-means with chance from draws: every point belongs to every cluster a little.

Bezdek, Pattern Recognition with Fuzzy Objective Function Algorithms (1981), from the start of
k-means++. Sums run in the order of the points, so neither threads nor a library's version matter.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel

from .kmeans import spread


@dataclass(frozen=True)
class Fuzzy:
    """A fuzzy partition of points.

    Attributes:
        memberships: how much each point belongs to each cluster, (n, k); a row sums to 1.
        centers: (k, dim), float64.
        rounds: how often centres were moved.
    """

    memberships: FloatArray
    centers: FloatArray
    rounds: int

    @property
    def labels(self) -> IntArray:
        """The cluster to which each point belongs most, (n,); ties: the lower number."""
        return np.asarray(np.argmax(self.memberships, axis=1), np.int64)


def fuzzy_cmeans(
    points: Array,
    k: int,
    draws: Draws,
    counter: int = 0,
    *,
    fuzziness: float = 1.3,
    start: FloatArray | None = None,
    tolerance: float = 1e-6,
    most_rounds: int = 100,
) -> Fuzzy:
    """Return *k* fuzzy clusters of *points* (n, dim), numbered as their first centres were.

    Args:
        points: (n, dim), n at least 1.
        k: how many clusters.
        draws: the chance of the first centres.
        counter: another one gives another start.
        fuzziness: the exponent m of Bezdek, above 1. Towards 1 it becomes k-means; the usual 2
            lets all centres fall together where there are many dimensions (Winkler, Klawonn,
            Kruse 2011).
        start: first centres, (k, dim), instead of drawn ones.
        tolerance: stop when no centre moves farther than that, in each coordinate.
        most_rounds: moves of the centres, at most.

    Raises:
        ValueError: no points, no clusters, a value is not finite, fuzziness is not above 1, or
            *start* has another shape.
    """
    values = np.ascontiguousarray(points, np.float64)
    if values.ndim != 2 or len(values) == 0 or k < 1:
        raise ValueError(f"no {k} clusters of points of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("a point is not finite; leave diverged embeddings out of the clustering")
    if not 1.0 < fuzziness < np.inf:
        raise ValueError(f"fuzziness must be above 1, not {fuzziness}")
    centers = spread(values, k, draws, counter) if start is None else np.array(start, np.float64)
    if centers.shape != (k, values.shape[1]):
        raise ValueError(f"{centers.shape} is no start for {k} centres of {values.shape[1]} values")
    memberships = np.empty((len(values), k))
    rounds = _iterate(values, centers, memberships, fuzziness, tolerance, most_rounds)
    return Fuzzy(memberships, centers, rounds)


@kernel
def _belong(
    points: FloatArray, centers: FloatArray, memberships: FloatArray, fuzziness: float
) -> None:
    """Write the memberships that are best for *centers*: by inverse distance."""
    power = 1.0 / (fuzziness - 1.0)
    for n in range(len(points)):
        mine = memberships[n]
        for c in range(len(centers)):
            mine[c] = 0.0
            for j in range(points.shape[1]):
                gap = points[n, j] - centers[c, j]
                mine[c] += gap * gap
        least = mine.min()
        total = 0.0
        for c in range(len(centers)):
            if least > 0.0:
                mine[c] = (least / mine[c]) ** power
            else:  # on a centre, or on several
                mine[c] = 1.0 if mine[c] == 0.0 else 0.0
            total += mine[c]
        for c in range(len(centers)):
            mine[c] /= total


@kernel
def _iterate(
    points: FloatArray,
    centers: FloatArray,
    memberships: FloatArray,
    fuzziness: float,
    tolerance: float,
    most_rounds: int,
) -> int:
    _belong(points, centers, memberships, fuzziness)
    for moves in range(most_rounds):
        sums, weights = np.zeros_like(centers), np.zeros(len(centers))
        for n in range(len(points)):
            for c in range(len(centers)):
                weight = memberships[n, c] ** fuzziness
                weights[c] += weight
                for j in range(points.shape[1]):
                    sums[c, j] += weight * points[n, j]
        farthest = 0.0
        for c in range(len(centers)):
            if weights[c] > 0.0:
                for j in range(points.shape[1]):
                    new = sums[c, j] / weights[c]
                    farthest = max(farthest, abs(new - centers[c, j]))
                    centers[c, j] = new
        _belong(points, centers, memberships, fuzziness)
        if farthest <= tolerance:
            return moves + 1
    return most_rounds
