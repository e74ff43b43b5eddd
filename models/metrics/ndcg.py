"""NDCG: hits among the best k, discounted by the logarithm of their rank."""

import numpy as np

from droidloop.models.interfaces.metrics import AtK, Metric, Ranked
from droidloop.platform.arrays import FloatArray
from droidloop.platform.registry import Method


class NDCG(AtK):
    """The discounted gain of the best k as a share of its largest possible value."""


def ndcg(ranked: Ranked, k: int) -> FloatArray:
    """Return the sum of 1 / log2(rank + 1) over the best k, divided by its largest value.

    >>> round(float(ndcg(Ranked(np.array([1, 3, 11]), np.array([0, 3])), 10)[0]), 4)
    0.7039
    """
    gains = np.where(ranked.ranks <= k, 1 / np.log2(ranked.ranks + 1.0), 0.0)
    ideal = np.cumsum(1 / np.log2(np.arange(k) + 2.0))
    best: FloatArray = ideal[np.minimum(ranked.counts, k) - 1]
    return ranked.sums(gains) / best


METHOD = Method(
    *("metric", "ndcg", NDCG),
    lambda section: Metric("ndcg", "NDCG", "ranks", ndcg).at(section.k),
    source="Järvelin and Kekäläinen, Cumulated gain-based evaluation, TOIS 2002; binary relevance",
)
