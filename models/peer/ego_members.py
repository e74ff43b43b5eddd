"""What members of a group hold, as ego graphs: own items, and fake items that link them.

Items are places in a phone's rows here: all phones hold equally many, each those of its group.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.ego_graphs import EgoGraphs, Neighbours, ego_graphs
from droidloop.platform.arrays import Array, BoolArray, IntArray


@dataclass(frozen=True)
class Members:
    """Phones by the columns of ``semidfegl.ego_store``, a row each; nothing is copied."""

    columns: dict[str, Array]
    n_items: int

    def __len__(self) -> int:
        return len(self.columns["group"])

    @property
    def grouped(self) -> BoolArray:
        """Whether each phone is in a group, (phones,)."""
        return np.asarray(self.columns["group"] >= 0)

    @property
    def fakes(self) -> IntArray:
        """The places of the fake items of each phone, (phones, fakes); zero without a group."""
        here = np.arange(len(self))[:, None]
        found = self._find(here, self.columns["fake"])[0]
        return np.asarray(found % self.columns["ids"].shape[1])

    def local(self, data: UserItems) -> UserItems:
        """Return the events of *data* (a row a phone) whose items a phone holds, as places."""
        owner = np.repeat(np.arange(len(self)), data.counts)
        place, found = self._find(owner, data.items)
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(np.bincount(owner[found], minlength=len(self)), out=offsets[1:])
        places = place[found] % self.columns["ids"].shape[1]
        return UserItems(places, offsets, data.times_s[found], data.ratings[found].copy())

    @property
    def known(self) -> Neighbours:
        """The members that phones have heard of, linked with them by the fake items."""
        others, fakes = self.columns["others"], self.fakes
        count = np.minimum(self.columns["heard"], others.shape[1])
        offsets = np.zeros(len(self) + 1, np.int64)
        np.cumsum(count, out=offsets[1:])
        links = np.repeat(fakes, count, axis=0).ravel()
        shared = UserItems.bare(links, np.arange(offsets[-1] + 1) * fakes.shape[1])
        return Neighbours(offsets, shared, others[np.arange(others.shape[1]) < count[:, None]])

    def graphs(self, local: UserItems) -> EgoGraphs:
        """Return the ego graphs: each phone with its *local* items, its fakes and its members."""
        m, rows = len(self), self.columns["ids"].shape[1]
        every = np.tile(np.arange(rows), m), np.arange(m + 1) * rows
        return ego_graphs(_with(local, self.fakes, self.grouped), self.known, every)

    def linked(self, data: UserItems) -> Any:
        """Return the ego graphs as the ``nx.Graph`` that they are together.

        Nodes are ``("phone", k)``, ``("own", k, item)`` for an item that only phone k knows of as
        its own, and ``("fake", group, item)`` for one that all members have.
        """
        import networkx as nx

        graph: nx.Graph[Any] = nx.Graph()
        local, group = self.local(data), self.columns["group"]
        for k in range(len(self)):
            graph.add_node(("phone", k))
            own = self.columns["ids"][k][local.of(k)]
            graph.add_edges_from((("phone", k), ("own", k, int(item))) for item in own)
            if group[k] >= 0:
                fakes = self.columns["fake"][k].tolist()
                graph.add_edges_from((("phone", k), ("fake", int(group[k]), i)) for i in fakes)
        return graph

    def _find(self, owner: IntArray, items: IntArray) -> tuple[IntArray, BoolArray]:
        """Return where *items* are among the ids of all phones, and whether *owner* holds them."""
        span = self.n_items + 1  # ids are -1 without a group
        keys = (np.arange(len(self))[:, None] * span + self.columns["ids"] + 1).ravel()
        wanted = owner * span + items + 1
        place = np.searchsorted(keys, wanted)
        return place, np.append(keys, -1)[place] == wanted


def _with(local: UserItems, fakes: IntArray, grouped: BoolArray) -> UserItems:
    """Return the items of *local*, followed for *grouped* phones by their *fakes*."""
    offsets = np.zeros(local.n_users + 1, np.int64)
    np.cumsum(local.counts + np.where(grouped, fakes.shape[1], 0), out=offsets[1:])
    items = np.empty(offsets[-1], np.int64)
    place = np.arange(len(local.items)) + np.repeat(offsets[:-1] - local.offsets[:-1], local.counts)
    fake = np.ones(len(items), np.bool_)
    fake[place] = False
    items[place], items[fake] = local.items, fakes[grouped].ravel()
    return UserItems.bare(items, offsets)
