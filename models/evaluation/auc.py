"""AUC: the share of pairs of a liked and another sample in which the liked one scores higher.

Ties count as half (Fawcett, An introduction to ROC analysis, 2006); computed from ranks.
"""

import numpy as np

from droidloop.models.data.samples import Samples
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.law import kernel

from .metrics import UserMetrics


def auc(labels: Array, scores: Array) -> float:
    """Return the AUC of all samples together; NaN where there is only one kind of label.

    Raises:
        ValueError: a score is NaN.
    """
    values = _aucs(*_checked(labels, scores), np.array([0, len(scores)]))
    return float(values[0])


def user_auc(samples: Samples, scores: Array) -> UserMetrics:
    """Return ``auc`` of each user that has samples of both labels.

    Raises:
        ValueError: a score is NaN.
    """
    values = _aucs(*_checked(samples.labels, scores), samples.offsets)
    users = np.flatnonzero(~np.isnan(values))
    return UserMetrics(users, {"auc": values[users]})


def log_losses(samples: Samples, scores: Array) -> UserMetrics:
    """Return ``log_loss``, the mean over the samples of each user that has any."""
    exact = scores.astype(np.float64)
    each = np.logaddexp(0.0, exact) - samples.labels * exact
    counts = np.diff(samples.offsets)
    users = np.flatnonzero(counts)
    sums = np.bincount(samples.users, each, len(counts))
    return UserMetrics(users, {"log_loss": sums[users] / counts[users]})


def _checked(labels: Array, scores: Array) -> tuple[FloatArray, FloatArray]:
    if np.isnan(scores).any():
        raise ValueError("scores contain NaN; the model diverged")
    return np.asarray(labels, np.float64), np.asarray(scores, np.float64)


@kernel
def _aucs(labels: FloatArray, scores: FloatArray, offsets: IntArray) -> FloatArray:
    """Return (sum of the ranks of the liked - l (l + 1) / 2) / (l other) of each group."""
    out = np.full(offsets.size - 1, np.nan)
    for group in range(offsets.size - 1):
        mine, theirs = labels[offsets[group] : offsets[group + 1]], 0.0
        own = scores[offsets[group] : offsets[group + 1]]
        liked = mine.sum()
        other = mine.size - liked
        if liked == 0 or other == 0:
            continue
        order = np.argsort(own, kind="mergesort")
        start = 0
        while start < order.size:
            end = start + 1
            while end < order.size and own[order[end]] == own[order[start]]:
                end += 1
            for k in range(start, end):
                theirs += mine[order[k]] * (start + 1 + end) / 2
            start = end
        out[group] = (theirs - liked * (liked + 1) / 2) / (liked * other)
    return out
