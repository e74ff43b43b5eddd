"""Log-loss: how surprised a model is by the labels, its scores taken as log-odds."""

import numpy as np

from droidloop.models.interfaces.metrics import Metric, Rated
from droidloop.platform.arrays import FloatArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Section


class LogLoss(Section):
    """The mean over a user's samples of minus the logarithm of the label's probability."""


def log_losses(rated: Rated) -> FloatArray:
    """Return the mean of each user, in nats; NaN where there are no samples."""
    scores, counts = rated.scores.astype(np.float64), np.diff(rated.offsets)
    each = np.logaddexp(0.0, scores) - rated.labels * scores
    sums = np.bincount(np.repeat(np.arange(len(counts)), counts), each, len(counts))
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


METHOD = Method(
    *("metric", "log-loss", LogLoss),
    lambda _: Metric("log_loss", "log-loss", "ratings", log_losses, "lower"),
    source="Good, Rational decisions, Journal of the Royal Statistical Society B 1952",
)
