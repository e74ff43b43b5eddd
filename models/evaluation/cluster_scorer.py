"""Scores by user vectors and a table of item vectors for each cluster of users."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Float32Array, IntArray

from .metrics import Scores

_BATCH_NUMBERS = 2**24


OwnVectors = Callable[[IntArray], Float32Array]
"""Returns the item vectors of each of some users' own models, (users, n_items, dim)."""


@dataclass(frozen=True)
class ClusterScorer:
    """Scores by the products of user vectors and of the item vectors of each cluster.

    Attributes:
        users: (n_users, dim).
        labels: the cluster of each user, (n_users,).
        tables: (clusters, n_items, dim).
        own: the item vectors of each user alone, instead of the cluster's; or None.
    """

    users: Float32Array
    labels: IntArray
    tables: Float32Array
    own: OwnVectors | None = None

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items, shape (users, items)."""
        out = np.empty((len(users), self.tables.shape[1]), np.float32)
        size = max(1, _BATCH_NUMBERS // self.tables[0].size)
        for start in range(0, len(users), size):
            part = users[start : start + size]
            rows = self.tables[self.labels[part]] if self.own is None else self.own(part)
            # products and sums row by row: the same bits whoever else is in the batch
            out[start : start + size] = (rows * self.users[part][:, None]).sum(-1)
        return out

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*, shape (users, width), for the user of each row."""
        return np.take_along_axis(self.every(users), items, axis=1)
