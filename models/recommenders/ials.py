"""iALS: matrix factorisation by alternating least squares on implicit feedback.

Hu, Koren and Volinsky, Collaborative Filtering for Implicit Feedback Datasets (ICDM 2008), with
the regulariser of Rendle et al., Revisiting the Performance of iALS on Item Recommendation
Benchmarks (RecSys 2022), which grows with what a row is made of:

    sum over all (u, i) of c_ui ((r_ui - p_u . q_i)^2 + l2 (|p_u|^2 + |q_i|^2))

r_ui is 1 where the user had the item and 0 elsewhere, c_ui = 1 + alpha r_ui. Written here and not
taken from a library: the solver is the one of ``fcf``, and equal seeds have to give equal bits.
"""

from typing import final

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.numerics.normal_equations import gram, solve_row
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Float32Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

SWEEPS = 16
"""As in Rendle et al. (2022)."""
_SD = 0.1


@final
class IALS:
    """The model after some sweeps, each of which solves for all users and then for all items."""

    def __init__(
        self,
        train: UserItems,
        n_items: int,
        *,
        dim: int,
        alpha: float,
        l2: float,
        draws: Draws,
        sweeps: int = SWEEPS,
    ) -> None:
        had = union(train)
        has = by_item(had, n_items)
        self.items = normal_rows(draws.child("item"), np.arange(n_items), dim, _SD / dim**0.5)
        self.users = np.zeros((train.n_users, dim), np.float32)
        for _ in range(sweeps):
            self.users = sweep(had, self.items, alpha, l2)
            self.items = sweep(has, self.users, alpha, l2)

    def scores(self, users: IntArray) -> Scores:
        """Return the products of the vectors as float32, shape (users, items)."""
        exact = self.users[users].astype(np.float64) @ self.items.T.astype(np.float64)
        return exact.astype(np.float32)  # so that rounding does not depend on who is in a batch


def sweep(rows: UserItems, table: Float32Array, alpha: float, l2: float) -> Float32Array:
    """Return the vector of each of *rows*, (rows, dim), given the *table* of the other side.

    *rows* hold each of theirs once; one without any is 0.
    """
    dim = table.shape[1]
    squares, out = np.zeros((dim, dim)), np.zeros((rows.n_users, dim), np.float32)
    gram(table, squares)
    strength = np.asarray(l2 * (len(table) + alpha * rows.counts), np.float64)
    weights = np.full(len(rows.items), alpha, np.float64)

    def work(low: int, high: int) -> None:
        _solve_all(low, high, rows.items, rows.offsets, weights, table, squares, strength, out)

    for_chunks(work, rows.n_users, None)
    return out


def by_item(had: UserItems, n_items: int) -> UserItems:
    """Return the users of each item."""
    users = np.repeat(np.arange(had.n_users), had.counts)
    order = np.argsort(had.items, kind="stable")
    offsets = np.searchsorted(had.items[order], np.arange(n_items + 1))
    return UserItems.bare(users[order], offsets)


@kernel
def _solve_all(
    low: int,
    high: int,
    items: IntArray,
    offsets: IntArray,
    weights: FloatArray,
    table: Float32Array,
    squares: FloatArray,
    strength: FloatArray,
    out: Float32Array,
) -> None:
    dim = table.shape[1]
    matrix, vector = np.empty((dim, dim)), np.empty(dim)
    for row in range(low, high):
        first, last = offsets[row], offsets[row + 1]
        if first == last:
            continue
        solve_row(
            items[first:last], weights[first:last], table, squares, strength[row], matrix, vector
        )
        for a in range(dim):
            out[row, a] = vector[a]
