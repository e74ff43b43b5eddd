"""HR: whether the best k hold an item that was held out."""

import numpy as np

from droidloop.models.interfaces.metrics import AtK, Metric, Ranked
from droidloop.platform.arrays import FloatArray
from droidloop.platform.registry import Method


class HR(AtK):
    """The share of users with a held-out item among the best k."""


def hit(ranked: Ranked, k: int) -> FloatArray:
    """Return 1 for each user with a hit, and 0."""
    return (ranked.sums(ranked.ranks <= k) > 0).astype(np.float64)


METHOD = Method(
    *("metric", "hr", HR, lambda section: Metric("hr", "HR", "ranks", hit).at(section.k)),
    source="Deshpande and Karypis, Item-based top-N recommendation algorithms, TOIS 2004",
)
