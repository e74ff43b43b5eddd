"""Exposure: the share of users who are shown one certain item, as an attack may want."""

import numpy as np

from droidloop.models.interfaces.metrics import AtK, Listed, Metric
from droidloop.platform.arrays import FloatArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Number


class Exposure(AtK):
    """Whether a user's list of k holds one certain item; who had it before does not count."""

    item: Number = 0
    """Which, by number."""


def exposure(listed: Listed, item: int, k: int) -> FloatArray:
    """Return 1 for each user who is shown *item*, 0 for others; NaN for those who had it."""
    shown = (listed.items[:, :k] == item).any(axis=1).astype(np.float64)
    train = listed.split.train
    owners = np.repeat(np.arange(train.n_users), train.counts)[train.items == item]
    shown[np.isin(listed.users, owners)] = np.nan
    return np.asarray(shown, np.float64)


def build(section: Exposure) -> Metric:
    """Return the metric of the best k."""

    def value(listed: Listed, k: int) -> FloatArray:
        return exposure(listed, section.item, k)

    return Metric("exposure", "ER", "lists", value).at(section.k)


METHOD = Method(
    kind="metric",
    name="exposure",
    section=Exposure,
    build=build,
    source="Zhang et al.: PipAttack (WSDM 2022), ER@K",
)
