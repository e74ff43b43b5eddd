"""MRR: one over the rank of the best held-out item."""

import numpy as np

from droidloop.models.interfaces.metrics import AtK, Metric, Ranked
from droidloop.platform.arrays import FloatArray
from droidloop.platform.registry import Method


class MRR(AtK):
    """One over the rank of the best held-out item, 0 beyond the best k."""


def reciprocal_rank(ranked: Ranked, k: int) -> FloatArray:
    """Return the reciprocal rank of each user."""
    best = np.minimum.reduceat(ranked.ranks, ranked.offsets[:-1])
    return np.where(best <= k, 1 / best, 0.0)


METHOD = Method(
    *("metric", "mrr", MRR),
    lambda section: Metric("mrr", "MRR", "ranks", reciprocal_rank).at(section.k),
    source="Voorhees, The TREC-8 question answering track report, 1999",
)
