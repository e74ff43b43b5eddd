"""Coverage: the share of all items that somebody is shown."""

import numpy as np

from droidloop.models.interfaces.metrics import AtK, Listed, Metric
from droidloop.platform.registry import Method


class Coverage(AtK):
    """The share of all items that stand in at least one user's list of k."""


def coverage(listed: Listed, k: int) -> float:
    """Return the share."""
    shown = np.unique(listed.items[:, :k])
    return float((shown >= 0).sum() / listed.split.n_items)


METHOD = Method(
    *("metric", "coverage", Coverage),
    lambda section: Metric("coverage", "coverage", "lists", coverage, whole=True).at(section.k),
    source="Ge et al., Beyond accuracy: catalog coverage and serendipity, RecSys 2010",
)
