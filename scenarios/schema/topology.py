"""Who is linked with whom: the topologies that a scenario can ask for."""

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from droidloop.network import generators
from droidloop.network.topology import Topology, from_edges
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.section import Count, File, Section, Share

Alike = Callable[[str, int], IntArray]
"""Returns that many links of each phone to those alike, as pairs: (by what, how many)."""


class TopologySection(Section):
    """Who is linked with whom."""

    kind: Literal[
        "ring",
        "complete",
        "small-world",
        "scale-free",
        "regular",
        "clusters",
        "nearby",
        "place",
        "category",
        "file",
        "none",
    ] = "small-world"
    """``nearby`` links each phone to those nearest to it on the map, anew in each turn; ``place``
    and ``category`` link each phone with those whose visits are most alike."""
    links: Count = 6
    """Links of a phone; of a new phone where the topology is scale free."""
    rewired: Share = 0.1
    """The share of a small world's links that lead anywhere."""
    clusters: Count = 10
    """How many, where the kind is `clusters`."""
    bridges: Count = 1
    """Links between two neighbouring clusters."""
    file: File | None = None
    """An edge list: two phone numbers a line, and a cost if there is one."""

    @model_validator(mode="after")
    def _file_where_needed(self) -> "TopologySection":
        if (self.kind == "file") != (self.file is not None):
            raise ValueError(
                f"protocol.topology.kind = {self.kind!r} with file = {self.file!r}; "
                "give a file with kind = 'file', and with no other"
            )
        return self

    def build(self, phones: int, draws: Draws, alike: Alike | None) -> Topology | None:
        """Return the topology on *phones* nodes; None where it changes as phones move.

        *alike* gives pairs of phones that are alike by place or category.

        Raises:
            ScenarioError: so many phones cannot be linked like that, or the file cannot be read.
        """
        links = self.links
        match self.kind:
            case "nearby":
                return None
            case "place" | "category":
                return from_edges(phones, alike(self.kind, links) if alike else [])
            case "none":
                return from_edges(phones, [])
            case "ring":
                return generators.ring(phones, links)
            case "complete":
                return generators.complete(phones)
            case "small-world":
                return generators.small_world(phones, links, self.rewired, draws)
            case "scale-free":
                return generators.scale_free(phones, links, draws)
            case "regular":
                return generators.random_regular(phones, links, draws)
            case "clusters":
                made = generators.clusters(phones, self.clusters, links, self.bridges, draws)
                return made[0]
            case "file":
                assert self.file is not None
                return generators.from_file(Path(self.file), phones)
