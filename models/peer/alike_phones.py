"""Who learns from whom, as pairs of phones: by place, by meaning, by chance, by nobody.

The server groups once and leaves (DCLR and MAC, Long et al. 2023): it sees profiles, not events.
A pair (u, v) says that one of the two chose the other; whoever builds a topology of them makes
the edges undirected. Social links are such pairs as they stand, and isolation is ``NOBODY``.
"""

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.places import Places
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel

NOBODY: IntArray = np.empty((0, 2), np.int64)
"""Isolation: no pairs."""


def by_place(visits: UserItems, places: Places, k: int, cell_km: float = 1.0) -> IntArray:
    """Return pairs of each user with the *k* whose visited regions overlap most with the user's.

    Regions are the cells of a square grid; the overlap is the Bhattacharyya coefficient of two
    users' shares of visits by region. Shape (pairs, 2), as for the others here.
    """
    cells = np.floor(places.plane_km() / cell_km).astype(np.int64)
    _, region = np.unique(cells, axis=0, return_inverse=True)
    return most_alike(visits, region.reshape(-1).astype(np.int64), k)


def by_category(visits: UserItems, places: Places, k: int) -> IntArray:
    """Return pairs of each user with the *k* who visit the most similar kinds of places.

    Raises:
        ValueError: a place has no category; see ``places.by_hours``.
    """
    if (places.category < 0).any():
        raise ValueError("semantic neighbours need the category of every place")
    return most_alike(visits, places.category, k)


def by_chance(n_users: int, k: int, draws: Draws) -> IntArray:
    """Return pairs of each user with *k* drawn without replacement (all others, if fewer)."""
    others = min(k, n_users - 1)
    pairs = [NOBODY]
    for user in range(n_users):
        chosen = draws.child(user).choose(np.arange(n_users - 1), others, 0)
        chosen = chosen + (chosen >= user)
        pairs.append(np.column_stack([np.full(len(chosen), user), chosen]))
    return np.concatenate(pairs)


def most_alike(visits: UserItems, group: IntArray, k: int) -> IntArray:
    """Return pairs of each user with the *k* of most similar shares of visits by *group*.

    *group* has one number for each item. Similarity is the Bhattacharyya coefficient, the sum of
    sqrt(p q); of equal ones the smaller user number wins; users with nothing in common, or
    without a visit, are not paired.
    """
    groups = int(group.max(initial=-1)) + 1
    roots = np.zeros((visits.n_users, groups))
    users = np.repeat(np.arange(visits.n_users), visits.counts)
    np.add.at(roots, (users, group[visits.items]), 1.0)
    roots = np.sqrt(roots / np.maximum(visits.counts, 1)[:, None])
    chosen = _alike(roots, min(k, visits.n_users - 1))
    rows, places = np.nonzero(chosen >= 0)
    return np.column_stack([rows, chosen[rows, places]])


@kernel
def _alike(roots: FloatArray, k: int) -> IntArray:
    """Return the *k* rows with the largest products with each row, -1 where there are fewer."""
    n = roots.shape[0]
    out = np.full((n, k), -1, np.int64)
    near = np.empty(n, np.float64)
    for user in range(n):
        used = np.flatnonzero(roots[user])
        near[:] = 0.0
        for other in range(n):
            for g in used:
                near[other] += roots[user, g] * roots[other, g]
        near[user] = 0.0
        order = np.argsort(-near, kind="mergesort")
        for place in range(k):
            if near[order[place]] > 0:
                out[user, place] = order[place]
    return out
