"""The parts of a scenario that say who talks to whom and when; ``kind`` picks the protocol."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from droidloop.platform.jobs import Need
from droidloop.platform.section import Section, Share


class Turns(Section):
    """What all protocols share: how many turns, how often, and which phones are asked."""

    rounds: PositiveInt = 20
    every_s: PositiveFloat = 1800.0
    deadline_s: PositiveFloat = 1200.0
    clients: PositiveInt | None = None
    """How many phones a turn; all that are eligible if not given."""
    min_battery: Share = 0.3
    idle: bool = False
    charging: bool = False
    unmetered: bool = False

    @property
    def needs(self) -> Need:
        """What must hold while a phone works."""
        return needs_of(idle=self.idle, charging=self.charging, unmetered=self.unmetered)


class _ClosedTurns(Turns):
    """Turns that end before the next one begins."""

    @model_validator(mode="after")
    def _deadline_within_turn(self) -> "_ClosedTurns":
        if self.deadline_s > self.every_s:
            raise ValueError(
                f"protocol.deadline_s = {self.deadline_s} is longer than "
                f"protocol.every_s = {self.every_s}; a round must end before the next"
            )
        return self


Policy = Literal["rule", "random", "power", "fair"]
"""Who is asked of those who can: as the rule has it (at random, where it has no say), at random,
the phones that can best spare the energy, or those that were asked least often so far."""


class RoundsSection(_ClosedTurns):
    """Synchronous rounds: who is asked, when, and until when the server waits."""

    policy: Policy = "rule"
    kind: Literal["rounds"] = "rounds"


class BufferedSection(Turns):
    """Asynchronous rounds: phones come and go, the server moves on with every full buffer."""

    kind: Literal["buffered"]
    policy: Policy = "rule"
    rounds: PositiveInt = 20
    """How many new versions of the model the server makes."""
    every_s: PositiveFloat = 60.0
    """How often the server looks at what has arrived and asks other phones."""
    clients: PositiveInt | None = None
    """How many phones are at work at once; a tenth of all if not given."""
    buffer: PositiveInt = 10
    """How many uploads make a new version."""
    staleness: Annotated[int, Field(ge=0)] = 20
    """The most versions that an upload may be behind; older ones are refused."""
    fading: Annotated[float, Field(ge=0.0)] = 0.5
    """Uploads of age a weigh (1 + a) to the power of minus this."""
    limit_days: PositiveFloat = 30.0
    """When the server stops, even with fewer versions than `rounds`."""


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
    links: PositiveInt = 6
    """Links of a phone; of a new phone where the topology is scale free."""
    rewired: Share = 0.1
    """The share of a small world's links that lead anywhere."""
    clusters: PositiveInt = 10
    bridges: PositiveInt = 1
    """Links between two neighbouring clusters."""
    file: str | None = None
    """An edge list: two phone numbers a line, and a cost if there is one."""

    @model_validator(mode="after")
    def _file_where_needed(self) -> "TopologySection":
        if (self.kind == "file") != (self.file is not None):
            raise ValueError(
                f"protocol.topology.kind = {self.kind!r} with file = {self.file!r}; "
                "give a file with kind = 'file', and with no other"
            )
        return self


class GossipSection(_ClosedTurns):
    """Phones tell neighbours what they know, in turns, by way of a relay in the network."""

    kind: Literal["gossip"]
    mode: Literal["push", "pull", "push-pull"] = "push"
    """Whether phones choose whom they tell, whom they ask, or both."""
    topology: TopologySection = TopologySection()
    keep_turns: PositiveInt = 4
    """How long the relay keeps a message for a phone that does not come for it."""
    transport: Literal["relay", "direct"] = "relay"
    """By way of the network, or from phone to phone where two linked ones meet on the map."""
    reach_m: PositiveInt | None = None
    """How near phones must be to meet; the reach of the direct link if not given."""


class GroupsSection(_ClosedTurns):
    """A server groups phones; the members of a group learn from one another."""

    kind: Literal["groups"]
    groups: PositiveInt = 10
    links: PositiveInt = 4
    """How many members of its group a phone is linked with."""
    regroup_rounds: PositiveInt = 10
    """Turns between two groupings."""
    mode: Literal["push", "pull", "push-pull"] = "push"
    keep_turns: PositiveInt = 4


class LocalSection(_ClosedTurns):
    """Every phone gets a model and goes on alone."""

    kind: Literal["local"]


ProtocolSection = Annotated[
    RoundsSection | BufferedSection | GossipSection | GroupsSection | LocalSection,
    Field(discriminator="kind"),
]


def needs_of(*, idle: bool = False, charging: bool = False, unmetered: bool = False) -> Need:
    """Return the flags of what must hold for a job to run."""
    needs = Need(0)
    for wanted, need in (
        (idle, Need.IDLE),
        (charging, Need.CHARGING),
        (unmetered, Need.UNMETERED),
    ):
        if wanted:
            needs |= need
    return needs
