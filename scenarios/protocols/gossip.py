"""Gossip: phones tell neighbours what they know, by way of a relay or where they meet."""

from typing import Any, Literal

import numpy as np

from droidloop.models.learning.learning import PeerLearning
from droidloop.network import generators
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import Method, every
from droidloop.platform.section import Count, People
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.meeting import positions
from droidloop.scenarios.schema.topology import TopologySection
from droidloop.scenarios.schema.turns import ClosedTurns

from .encounters import OpportunisticGossip
from .relayed_gossip import Gossip, Neighbours


class GossipSection(ClosedTurns):
    """Phones tell neighbours what they know, in turns, by way of a relay in the network."""

    mode: Literal["push", "pull", "push-pull"] = "push"
    """Whether phones choose whom they tell, whom they ask, or both."""
    fan: People = 1
    """How many neighbours a phone tells or asks in a turn; what it tells goes up once for all."""
    topology: TopologySection = TopologySection()
    """Who is linked with whom."""
    keep_turns: Count = 4
    """How long the relay keeps a message for a phone that does not come for it."""
    transport: Literal["relay", "direct"] = "relay"
    """By way of the network, or from phone to phone where two linked ones meet on the map."""
    reach_m: Count | None = None
    """How near phones must be to meet; the reach of the direct link if not given."""


def build(
    section: GossipSection, context: ProtocolContext, learning: PeerLearning
) -> Gossip | OpportunisticGossip:
    """Return gossip by way of a relay, or between phones that meet."""
    neighbours = _neighbours(section, context)
    if section.transport == "relay":
        return Gossip(
            *(context, learning, section),
            mode=section.mode,
            keep_turns=section.keep_turns,
            fan=section.fan,
            neighbours=neighbours,
        )
    reach_m = section.reach_m or int(context.population.world.direct["reach_m"][0])
    return OpportunisticGossip(context, learning, section, neighbours, reach_m)


def _neighbours(section: GossipSection, context: ProtocolContext) -> Neighbours:
    """Return what tells who is linked with whom now."""
    fixed, world = context.links, context.population.world.map
    if fixed is not None:
        return lambda: fixed
    links, draws = section.topology.links, context.draws.child("nearby")
    everybody = np.arange(len(context.population))
    return lambda: generators.geographic(positions(world, everybody, context.now_us), links, draws)


def check(scenario: Any) -> None:
    """Raise ScenarioError where phones are to meet, or to be alike, and cannot."""
    section, population = scenario.protocol, scenario.population
    kind, rule = section.topology.kind, scenario.rule
    if kind in ("place", "category") and "alike" not in rule.gives:
        fitting = [one.name for one in every("rule") if "alike" in one.gives]
        raise ScenarioError(
            f"protocol.topology.kind = {kind!r}: the rule {rule.name!r} knows no places; "
            f"use {' or '.join(fitting)}"
        )
    if kind == "nearby" and population.map is None:
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


METHOD = Method(
    kind="protocol",
    name="gossip",
    section=GossipSection,
    build=build,
    source="Hegedus, Danner, Jelasity: Gossip Learning as a Decentralized Alternative (2019)",
    gives=frozenset({"peers", "gossip", "sends", "unlearns"}),
    needs={"rule": frozenset({"peers"})},
    check=check,
)
