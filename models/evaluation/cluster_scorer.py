"""Scores by user vectors and a table of item vectors for each cluster of users."""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.messages import Messages

from .metrics import Scores

_BATCH_NUMBERS = 2**24


@dataclass(frozen=True)
class ClusterScorer:
    """Scores by the products of user vectors and of the rows of a table for each cluster.

    Attributes:
        users: (n_users, dim).
        labels: the table of each user, (n_users,).
        tables: (clusters, n_items, dim).
        own: changes of rows for each user alone, or None.
    """

    users: Float32Array
    labels: IntArray
    tables: Float32Array
    own: Messages | None = None

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items, shape (users, items)."""
        out = np.empty((len(users), self.tables.shape[1]), np.float32)
        size = max(1, _BATCH_NUMBERS // self.tables[0].size)
        for start in range(0, len(users), size):
            part = users[start : start + size]
            rows, mine = self.tables[self.labels[part]], self.users[part]
            # products and sums row by row: the same bits whoever else is in the batch
            scores = (rows * mine[:, None]).sum(-1)
            if self.own is not None:
                changes = self.own.take(part)
                [name] = changes.arrays
                owner = np.repeat(np.arange(len(part)), np.diff(changes.offsets[name]))
                more = (changes.arrays[name] * mine[owner]).sum(-1)
                scores[owner, changes.rows[name]] += more
            out[start : start + size] = scores
        return out

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*, shape (users, width), for the user of each row."""
        return np.take_along_axis(self.every(users), items, axis=1)
