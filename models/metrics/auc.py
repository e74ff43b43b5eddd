"""AUC: the share of pairs of a liked and another sample in which the liked one scores higher."""

import numpy as np

from droidloop.models.interfaces.metrics import Metric, Rated
from droidloop.platform.arrays import Array, FloatArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Section


class AUC(Section):
    """The share of a user's pairs of a liked and another sample that are in the right order."""


def auc(labels: Array, scores: Array) -> float:
    """Return the AUC of all samples together; NaN where there is only one kind of label.

    Raises:
        ValueError: a score is NaN.
    """
    return float(aucs(Rated(labels, scores, np.array([0, len(scores)])))[0])


def aucs(rated: Rated) -> FloatArray:
    """Return (sum of the ranks of the liked - l (l + 1) / 2) / (l other) of each user.

    Ties count as half, by their mean rank.
    """
    from scipy.stats import rankdata  # takes half a second: only where it is used

    out = np.full(len(rated.offsets) - 1, np.nan)
    for user, (start, end) in enumerate(zip(rated.offsets, rated.offsets[1:], strict=False)):
        labels = np.asarray(rated.labels[start:end], np.float64)
        liked = labels.sum()
        other = len(labels) - liked
        if liked and other:
            ranks = rankdata(rated.scores[start:end])
            out[user] = (labels @ ranks - liked * (liked + 1) / 2) / (liked * other)
    return out


METHOD = Method(
    *("metric", "auc", AUC, lambda _: Metric("auc", "AUC by user", "ratings", aucs)),
    source="Fawcett, An introduction to ROC analysis, Pattern Recognition Letters 2006",
)
