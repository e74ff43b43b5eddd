"""EASE: each item's score is a weighted sum over the items that a user has, in closed form.

Steck, Embarrassingly Shallow Autoencoders for Sparse Data (WWW 2019): with X (users, items) of 0
and 1 and P = (X^T X + l2 I)^-1, the weights are B = I - P diag(P)^-1, 0 on the diagonal.
"""

from typing import final

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.evaluation.metrics import Scores
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import DataError

LARGEST = 20_000
"""Users or items, whichever are fewer: of so many the matrix to invert takes 3.2 GB."""


@final
class EASE:
    """Scores X B. The matrix that is inverted has as many rows as there are users or items.

    With K = (X X^T + l2 I)^-1, X P = K X and diag(P) = (1 - diag(X^T K X)) / l2, so that few users
    of many items need no matrix of items.

    Raises:
        DataError: there are too many users and items.
        ValueError: *l2* is not positive.
    """

    def __init__(self, train: UserItems, n_items: int, l2: float = 100.0) -> None:
        if l2 <= 0:
            raise ValueError(f"l2 must be above 0, not {l2}")
        require_size(train.n_users, n_items)
        had = union(train)
        x = np.zeros((train.n_users, n_items))
        x[np.repeat(np.arange(had.n_users), had.counts), had.items] = 1.0
        if n_items <= train.n_users:
            inverse = _inverse(x.T @ x, l2)
            spread, diagonal = x @ inverse, np.diag(inverse)
        else:
            spread = _inverse(x @ x.T, l2) @ x
            diagonal = (1.0 - (x * spread).sum(axis=0)) / l2
        self._scores: Scores = (x - spread / diagonal).astype(np.float32)

    def scores(self, users: IntArray) -> Scores:
        """Return the sums of weights as float32, shape (users, items)."""
        return np.asarray(self._scores[users])


def require_size(n_users: int, n_items: int) -> None:
    """Raise DataError where EASE would need more memory than one machine has to spare."""
    if min(n_users, n_items) > LARGEST:
        raise DataError(
            f"evaluation.baselines: 'ease' inverts a matrix of {min(n_users, n_items)} rows, "
            f"{LARGEST} at most; leave it out"
        )


def _inverse(matrix: FloatArray, l2: float) -> FloatArray:
    matrix[np.diag_indices_from(matrix)] += l2
    return np.asarray(np.linalg.inv(matrix), np.float64)
