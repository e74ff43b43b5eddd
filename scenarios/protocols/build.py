"""From the protocol section of a scenario to the process that moves its rule about."""

from pathlib import Path
from typing import Protocol, assert_never

import numpy as np

from droidloop.models.federated.fedmf import FedMF
from droidloop.models.peer.gossip_mf import GossipMF
from droidloop.network import generators
from droidloop.network.topology import Topology, from_edges
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Process
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.learning.learning import Federation, Learning, Society
from droidloop.scenarios.runtime.context import Stage
from droidloop.scenarios.runtime.meeting import positions
from droidloop.scenarios.schema.protocol_sections import (
    BufferedSection,
    GossipSection,
    GroupsSection,
    LocalSection,
    RoundsSection,
    TopologySection,
)
from droidloop.scenarios.schema.schema import Scenario

from .buffered import Buffered
from .encounters import Encounters
from .fine_tuning import Alone
from .gossip import Gossip, Neighbours
from .groups import InGroups
from .rounds import Rounds


class Conduct(Protocol):
    """A protocol at work: who learns from whom, and when."""

    def process(self) -> Process:
        """Run until all turns are over."""
        ...


def require_fit(scenario: Scenario, learning: Learning) -> None:
    """Raise ScenarioError where the protocol of *scenario* cannot move its rule about."""
    _require_places(scenario)
    section, rule = scenario.protocol, scenario.training.rule
    server = isinstance(section, RoundsSection | BufferedSection)
    if server != isinstance(learning, Federation):
        kinds = "rounds, buffered" if isinstance(learning, Federation) else "gossip, groups, local"
        raise ScenarioError(
            f"protocol.kind = {section.kind!r}: the rule {rule!r} is for other protocols; "
            f"choose from {kinds}"
        )
    if not learning.ships and scenario.delivery.variant != "none":
        raise ScenarioError(
            f"delivery.variant = {scenario.delivery.variant!r}: with the rule {rule!r} every phone "
            "has a model of its own and none ships; set delivery.variant = 'none'"
        )
    if (
        isinstance(section, GroupsSection)
        and isinstance(learning, Society)
        and not learning.grouping
    ):
        raise ScenarioError(
            f"protocol.kind = 'groups': the rule {rule!r} tells a server nothing to group by; "
            "use gossip with topology.kind = 'clusters'"
        )


def _require_places(scenario: Scenario) -> None:
    """Raise ScenarioError where phones are to meet and cannot."""
    section, population = scenario.protocol, scenario.population
    if not isinstance(section, GossipSection):
        return
    if section.topology.kind == "nearby" and population.map is None:
        raise ScenarioError(
            "protocol.topology.kind = 'nearby': phones need places; add [population.map]"
        )
    if section.transport != "direct":
        return
    if population.map is None:
        raise ScenarioError(
            "protocol.transport = 'direct': phones meet on a map; add [population.map]"
        )
    if population.direct is None:
        raise ScenarioError(
            "protocol.transport = 'direct': phones need a link; "
            "set population.direct = 'wifi-direct', 'bluetooth' or 'bluetooth-le'"
        )
    if section.mode != "push-pull":
        raise ScenarioError(
            f"protocol.mode = {section.mode!r}: phones that meet swap; set mode = 'push-pull'"
        )


def require_devices_fit(scenario: Scenario, learning: Learning) -> None:
    """Raise ScenarioError where real devices cannot take part in *scenario*."""
    rule = scenario.training.rule
    follows = (
        type(learning.client) is FedMF
        if isinstance(learning, Federation)
        else isinstance(learning, Society) and isinstance(learning.peer, GossipMF)
    )
    if not follows:
        raise ScenarioError(
            f"training.rule = {rule!r}: has no training step for real devices; "
            "leave --attach and [devices] out, or choose fedmf, gossip-mf or tune"
        )
    if scenario.play == "exact" and isinstance(scenario.protocol, BufferedSection):
        raise ScenarioError(
            'play = "exact": real devices in buffered rounds need play = "cohort"; set it'
        )


def links_of(scenario: Scenario, phones: int, learning: Learning) -> Topology | None:
    """Return who is linked with whom, where the protocol of *scenario* says so from the start.

    Raises:
        ScenarioError: the topology cannot be made of so many phones, or of these data.
    """
    if not isinstance(scenario.protocol, GossipSection):
        return None
    section = scenario.protocol.topology
    if section.kind in ("place", "category"):
        if not isinstance(learning, Society) or learning.alike is None:
            raise ScenarioError(
                f"protocol.topology.kind = {section.kind!r}: the rule "
                f"{scenario.training.rule!r} knows no places; use dclr or mac"
            )
        return from_edges(phones, learning.alike(section.kind, section.links))
    return topology_of(section, phones, Draws(scenario.seed, "topology"))


def conduct_of(
    scenario: Scenario, stage: Stage, learning: Learning, links: Topology | None
) -> Conduct:
    """Return the protocol of *scenario*, whose rule fits it, over *links* if it has some."""
    section = scenario.protocol
    if isinstance(learning, Federation):
        match section:
            case RoundsSection():
                return Rounds(stage, learning, section)
            case BufferedSection():
                return Buffered(stage, learning, section)
    elif isinstance(learning, Society):
        match section:
            case GossipSection() if links is not None and section.transport == "direct":
                reach_m = section.reach_m or int(stage.population.world.direct["reach_m"][0])
                return Encounters(
                    stage, learning, section, _neighbours(section, stage, links), reach_m
                )
            case GossipSection() if links is not None:
                return Gossip(
                    stage,
                    learning,
                    section,
                    section.mode,
                    section.keep_turns,
                    _neighbours(section, stage, links),
                )
            case GroupsSection() if learning.grouping is not None:
                return InGroups(stage, learning, learning.grouping, section)
            case LocalSection():
                return Alone(stage, learning, section)
    raise TypeError(f"{type(learning).__name__} does not go with {section.kind!r}")


def _neighbours(section: GossipSection, stage: Stage, links: Topology) -> Neighbours:
    """Return what tells who is linked with whom now."""
    if section.topology.kind != "nearby":
        return lambda: links
    count, world = section.topology.links, stage.population.world.map
    phones, draws = np.arange(len(stage.population)), stage.draws.child("nearby")

    def now() -> Topology:
        return generators.geographic(positions(world, phones, stage.now_us), count, draws)

    return now


def topology_of(section: TopologySection, phones: int, draws: Draws) -> Topology:
    """Return the topology of *section* on *phones* nodes.

    Raises:
        ScenarioError: so many phones cannot be linked like that, or the file cannot be read.
    """
    match section.kind:
        case "ring":
            return generators.ring(phones, section.links)
        case "complete":
            return generators.complete(phones)
        case "small-world":
            return generators.small_world(phones, section.links, section.rewired, draws)
        case "scale-free":
            return generators.scale_free(phones, section.links, draws)
        case "regular":
            return generators.random_regular(phones, section.links, draws)
        case "clusters":
            return generators.clusters(
                phones, section.clusters, section.links, section.bridges, draws
            )[0]
        case "file":
            assert section.file is not None
            return generators.from_file(Path(section.file), phones)
        case "none" | "nearby":
            return from_edges(phones, [])
        case "place" | "category":
            raise ValueError(f"{section.kind!r} is made of data, not of a number of phones")
        case _:
            assert_never(section.kind)
