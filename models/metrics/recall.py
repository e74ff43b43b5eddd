"""Recall: the share of a user's held-out items that is among the best k."""

from droidloop.models.interfaces.metrics import AtK, Metric, Ranked
from droidloop.platform.arrays import FloatArray
from droidloop.platform.registry import Method


class Recall(AtK):
    """The share of a user's held-out items that is among the best k."""


def recall(ranked: Ranked, k: int) -> FloatArray:
    """Return the share of each user."""
    return ranked.sums(ranked.ranks <= k) / ranked.counts


METHOD = Method(
    *("metric", "recall", Recall),
    lambda section: Metric("recall", "Recall", "ranks", recall).at(section.k),
    source="Herlocker et al., Evaluating collaborative filtering recommender systems, TOIS 2004",
)
