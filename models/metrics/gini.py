"""Gini of exposure: how unevenly lists share their places among all items."""

import numpy as np

from droidloop.models.interfaces.metrics import AtK, Listed, Metric
from droidloop.platform.arrays import IntArray
from droidloop.platform.registry import Method


class Gini(AtK):
    """The Gini index of how often each item stands in a list of k: 0: all alike."""


def gini(listed: Listed, k: int) -> float:
    """Return the index over all items, those that nobody is shown included; NaN without lists."""
    shown, n = listed.items[:, :k], listed.split.n_items
    return gini_of(np.bincount(shown[shown >= 0], minlength=n))


def gini_of(counts: IntArray) -> float:
    """Return the Gini index of *counts*; NaN where all are 0."""
    rising, n = np.sort(counts), len(counts)
    if not rising.sum():
        return float("nan")
    return float((2 * np.arange(1, n + 1) - n - 1) @ rising / (n * rising.sum()))


METHOD = Method(
    *("metric", "gini", Gini),
    lambda section: Metric("gini", "Gini", "lists", gini, "lower", True).at(section.k),
    source="Fleder and Hosanagar, Blockbuster culture's next rise or fall, Management Science 2009",
)
