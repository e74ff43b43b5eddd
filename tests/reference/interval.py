"""95 % intervals of reference figures: users and seeds pooled."""

from collections.abc import Sequence

import numpy as np

NORMAL_95 = 1.96
"""Of the normal distribution, which a mean over hundreds of users follows."""


def pooled(by_seed: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """Return the mean and both ends of its interval of (seeds, users); NaN: a user not asked.

    The variance over users of their mean over seeds, by the number of users, plus that over seeds
    of the mean over users, by the number of seeds: the same users are judged in every seed, so
    seeds times users are not as many independent ones.
    """
    values = np.array(by_seed, np.float64)
    values = values[:, ~np.isnan(values).any(axis=0)]
    seeds, users = values.shape
    variance = values.mean(axis=0).var(ddof=1) / users
    if seeds > 1:
        variance += values.mean(axis=1).var(ddof=1) / seeds
    mean, half = float(values.mean()), NORMAL_95 * float(np.sqrt(variance))
    return mean, mean - half, mean + half
