"""Who is known to have gone, who has asked to be forgotten, and who is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from droidloop.network.topology import Topology, from_edges
from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.state import Stateful, Tree


@dataclass
class Roster(Stateful):
    """What is known of so many *phones* beside what they answer; each is a mask, (phones,).

    Attributes:
        gone: said that they go, and went: nobody counts on them until they come back.
        wishes: asked to be forgotten, and are not yet.
        forgotten: asked, and all that was theirs is erased.
    """

    phones: int
    gone: BoolArray = field(init=False)
    wishes: BoolArray = field(init=False)
    forgotten: BoolArray = field(init=False)
    _of: Topology | None = field(init=False, default=None)
    _seen: bytes = field(init=False, default=b"")
    _present: Topology | None = field(init=False, default=None)

    STATE = ("gone", "wishes", "forgotten")

    def __post_init__(self) -> None:
        self.gone, self.wishes, self.forgotten = np.zeros((3, self.phones), np.bool_)

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Know what *tree* says, in the same arrays; see ``Stateful``."""
        for name in self.STATE:
            getattr(self, name)[:] = tree[name]

    def welcome(self, phones: IntArray) -> IntArray:
        """Return those of *phones* that may be asked: who wants to be forgotten is left alone."""
        return np.asarray(phones[~(self.wishes | self.forgotten)[phones]])

    def present(self, topology: Topology) -> Topology:
        """Return *topology* without the links of those who are known to be gone, or are left alone.

        Who has gone without a word keeps them: its neighbours cannot know.
        """
        away = self.gone | self.wishes | self.forgotten
        if not away.any():
            return topology
        seen = away.tobytes()
        if topology is not self._of or seen != self._seen or self._present is None:
            kept = ~away[topology.edges].any(axis=1)
            made = from_edges(topology.nodes, topology.edges[kept], topology.costs[kept])
            self._of, self._seen, self._present = topology, seen, made
        return self._present
