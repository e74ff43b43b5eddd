"""Ego graphs: what a phone can propagate on, its own items and the neighbours it was told of.

The graphs of a cohort lie side by side in one ``Bipartite``, so one call propagates on all of them
and a phone's values are those that it would compute alone, bit for bit. Each phone has item rows
of its own, and its own user comes first among its users.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.models.data.interactions import UserItems, union
from droidloop.platform.arrays import Array, Float32Array, IntArray
from droidloop.platform.messages import ragged

from .propagation import Bipartite, propagate


@dataclass(frozen=True)
class Neighbours:
    """Users that phones know vectors of, without knowing who they are.

    Attributes:
        offsets: phone *k* has the neighbours ``offsets[k]:offsets[k + 1]``, (phones + 1,).
        shared: the items that link each neighbour to its phone, one row a neighbour.
        vectors: (neighbours, dim).
        degrees: how many items each has in all, where phones were told; None: the shared ones.
    """

    offsets: IntArray
    shared: UserItems
    vectors: Float32Array
    degrees: IntArray | None = None

    @classmethod
    def none(cls, phones: int, dim: int) -> "Neighbours":
        """Return no neighbours for each of *phones*."""
        nothing = UserItems.bare(np.empty(0, np.int64), np.zeros(1, np.int64))
        return cls(np.zeros(phones + 1, np.int64), nothing, np.empty((0, dim), np.float32))


@dataclass(frozen=True)
class EgoGraphs:
    """The graphs of a cohort, side by side.

    Attributes:
        graph: of all users and item rows.
        ids: the item of each item row, sorted by phone.
        item_offsets: where the item rows of each phone begin, (phones + 1,).
        user_offsets: where its users begin, likewise; the first of them is its own.
    """

    graph: Bipartite
    ids: IntArray
    item_offsets: IntArray
    user_offsets: IntArray

    @property
    def own(self) -> IntArray:
        """The row of each phone's own user, (phones,)."""
        return self.user_offsets[:-1]

    def places(self, phones: IntArray, items: IntArray) -> IntArray:
        """Return the row of each of *items* in the graph of the phone of that number, -1 for none.

        Raises:
            ValueError: the phone has no row for an item.
        """
        return _places(self.ids, self.item_offsets, phones, items)

    def users(self, own: Array, neighbours: Neighbours) -> Float32Array:
        """Return the vectors of all users of the graph: *own* (phones, dim) and those given."""
        out = np.empty((self.graph.n_users, own.shape[1]), np.float32)
        theirs = np.ones(len(out), np.bool_)
        theirs[self.own] = False
        out[self.own], out[theirs] = own, neighbours.vectors
        return out


def ego_graphs(
    data: UserItems,
    neighbours: Neighbours,
    rows: tuple[IntArray, IntArray] | None = None,
    degrees: IntArray | None = None,
) -> EgoGraphs:
    """Return the ego graph of each phone.

    Args:
        data: the phones' own items.
        neighbours: of the same phones.
        rows: ids and offsets of the item rows that each phone has, sorted, where these are more
            than what its users have, such as negatives to be scored; None: no more.
        degrees: by item, how many users have it in all, where phones were told; None: those in
            the graph.

    Raises:
        ValueError: *rows* lack an item of a phone or of its neighbours.
    """
    phones = data.n_users
    user_offsets = neighbours.offsets + np.arange(phones + 1)
    links = _links(data, neighbours, user_offsets)
    owner = np.repeat(np.arange(phones), np.diff(user_offsets))
    phone_of_link = np.repeat(owner, links.counts)
    if rows is None:
        reach = UserItems.bare(links.items, links.offsets[user_offsets])
        all_rows = union(reach)
        rows = all_rows.items, all_rows.offsets
    ids, item_offsets = np.asarray(rows[0], np.int64), rows[1]
    places = _places(ids, item_offsets, phone_of_link, links.items)
    local = UserItems.bare(places, links.offsets)
    graph = Bipartite.of(
        local,
        len(ids),
        None if degrees is None else degrees[ids],
        _user_degrees(local.counts, neighbours, user_offsets[:-1]),
    )
    return EgoGraphs(graph, ids, item_offsets, user_offsets)


def ego_vectors(
    data: UserItems, user: Array, table: Array, layers: int, degrees: IntArray | None = None
) -> tuple[Float32Array, Float32Array]:
    """Return what phones without neighbours score unseen items with: (phones, dim), (n_items, dim).

    An item that no user of the graph has is alone in it, so its vector is its row of *table*
    divided by the number of layers that are averaged.
    """
    none = Neighbours.none(data.n_users, user.shape[1])
    ego = ego_graphs(data, none, degrees=degrees)
    rows = np.asarray(table[ego.ids], np.float32)
    users, _ = propagate(ego.graph, ego.users(user, none), rows, layers)
    return users[ego.own], np.asarray(table / np.float32(layers + 1), np.float32)


def _links(data: UserItems, neighbours: Neighbours, user_offsets: IntArray) -> UserItems:
    """Return the items of all users of all phones: each phone's own, then its neighbours'."""
    both = UserItems.bare(
        np.concatenate([data.items, neighbours.shared.items]),
        np.concatenate([data.offsets, neighbours.shared.offsets[1:] + data.offsets[-1]]),
    )
    order = np.empty(user_offsets[-1], np.int64)
    theirs = np.ones(len(order), np.bool_)
    theirs[user_offsets[:-1]] = False
    order[~theirs] = np.arange(data.n_users)
    order[theirs] = data.n_users + np.arange(np.count_nonzero(theirs))
    where, offsets = ragged(both.offsets, order)
    return union(UserItems.bare(both.items[where], offsets))


def _user_degrees(counts: IntArray, neighbours: Neighbours, own: IntArray) -> IntArray | None:
    if neighbours.degrees is None:
        return None
    theirs = np.ones(len(counts), np.bool_)
    theirs[own] = False
    degrees = counts.copy()
    degrees[theirs] = neighbours.degrees
    return degrees


def _places(ids: IntArray, offsets: IntArray, phones: IntArray, items: IntArray) -> IntArray:
    """Return where *items* are in the sorted rows *ids* of *phones*; -1 for the item -1."""
    span = 2 + max(ids.max(initial=0), items.max(initial=0))
    keys = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets)) * span + ids
    wanted = phones * span + items
    places = np.searchsorted(keys, wanted)
    found = np.append(keys, -1)[places] == wanted
    if not (found | (items < 0)).all():
        raise ValueError("a phone has no row for an item of its own or of a neighbour")
    return np.where(items < 0, -1, places)
