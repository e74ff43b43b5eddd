"""Semi-decentralised learning: a server groups phones, the members of a group teach one another.

The server sees reports and no model, and trains nothing. Phones that could not report stay in the
group that they have; those that never could are in none and learn alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.peers import Groups
from droidloop.models.learning.learning import PeerLearning
from droidloop.network.topology import Topology, from_edges
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Process
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.messages import HEADER_BYTES
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, People
from droidloop.platform.state import Stateful, Tree
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.mail import by_form
from droidloop.scenarios.schema.turns import ClosedTurns

from .relayed_gossip import Gossip
from .unlearning_turns import peer_unlearning

GROUP_BYTES = HEADER_BYTES + 4
"""The number of a group, as sent to a phone."""


class GroupsSection(ClosedTurns):
    """A server groups phones; the members of a group learn from one another."""

    groups: Count = 10
    """How many, at most."""
    links: Count = 4
    """How many members of its group a phone is linked with."""
    regroup_rounds: Count = 10
    """Turns between two groupings."""
    mode: Literal["push", "pull", "push-pull"] = "push"
    """Whether phones choose whom they tell, whom they ask, or both."""
    fan: People = 1
    """How many members a phone tells or asks in a turn; what it tells goes up once for all."""
    keep_turns: Count = 4
    """How long the relay keeps a message for a phone that does not come for it."""


@dataclass
class SemiDecentralised(Stateful):
    """The protocol: gossip within groups, made anew every ``regroup_rounds`` turns."""

    stage: ProtocolContext
    learning: PeerLearning
    section: GroupsSection
    _number: int = 0
    _next_us: int = -1
    _linked: int = -1

    STATE = ("_gossip", "_group", "_number", "_next_us", "_linked", "_unlearning")

    def __post_init__(self) -> None:
        assert self.learning.grouping is not None  # what the protocol needs of its rule
        self._grouping = self.learning.grouping
        phones = len(self.stage.population)
        self._group = np.full(phones, -1, np.int64)
        self._topology = from_edges(phones, np.empty((0, 2), np.int64))
        section = self.section
        self._gossip = Gossip(
            self.stage,
            self.learning,
            section,
            section.mode,
            section.keep_turns,
            section.fan,
            lambda: self._topology,
        )
        self._unlearning = peer_unlearning(self.stage, self.learning, self._unlearn, self._erase)

    def process(self) -> Process:
        """Run all turns; a grouping takes a turn of its own time before the turns it is for."""
        engine, section = self.stage.recorder.engine, self.section
        while True:
            yield engine.until(self._next_us)
            if self._unlearning.due:
                yield from self._unlearning.turn(self._number, section.rounds)
            elif self._number < section.rounds:
                if self._number % section.regroup_rounds == 0:
                    yield from self._in_time(self._regroup(self._number))
                yield from self._in_time(self._gossip.turn(self._number))
                self._number += 1
                self.stage.after_round(self._number - 1)
            else:
                break
            yield engine.settled()

    def _unlearn(self, number: int, turn: int) -> Process:
        """Play one turn of unlearning; groups are made anew as when it was learned."""
        if turn % self.section.regroup_rounds == 0:
            yield from self._in_time(self._regroup(number, Kind.UNLEARN))
        yield from self._in_time(self._gossip.unlearn(number, turn))

    def _erase(self, phones: IntArray) -> None:
        """Have *phones* be in no group."""
        self._gossip.erase(phones)
        self._group[phones] = -1
        if self._linked >= 0:
            self._link(self._linked)

    def _in_time(self, turn: Process) -> Process:
        """Play *turn* when the time of the one before is over."""
        engine = self.stage.recorder.engine
        yield engine.until(self._next_us)
        self._next_us = engine.now_us + round(self.section.every_s * SECOND_US)
        yield from turn

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Remember what *tree* says, and who is linked with whom; see ``Stateful``."""
        super().restore(tree)
        if self._linked >= 0:
            self._link(self._linked)

    def _link(self, number: int) -> None:
        """Link the members of each group, as after the grouping of that turn."""
        draws, self._linked = self.stage.draws.child("links"), number
        self._topology = within_groups(self._group, self.section.links, draws, number)

    def _regroup(self, number: int, kind: Kind = Kind.EXCHANGE) -> Process:
        """Have phones report, group those whose report arrived, and tell them."""
        stage, learning, section = self.stage, self.learning, self.section
        phones = stage.roster.welcome(stage.ask(section, number, 0, section.clients))
        channel, form = self._gossip.channel, self._grouping.form(learning.store)
        phones = phones[channel.may_send(phones)]
        reports = self._grouping.report(phones, learning.store)
        mail = channel.send(reports, form, phones, number)
        cost = channel.cost(reports, Cost(0, 0, 0))
        jobs = self._plan(
            number,
            phones,
            kind,
            up_bytes=mail.nbytes(),
            flops=cost.flops,
            moved_bytes=cost.moved_bytes,
            ram_bytes=cost.ram_bytes,
        )
        yield stage.recorder.play(jobs)
        came = np.flatnonzero(jobs.done)
        channel.left(phones[came], number)
        server_bytes = int(jobs["up_bytes"][came].sum())
        heard = np.zeros(len(phones), np.bool_)
        taken = by_form(channel.receive(mail.take(came), form, number, known=phones, heard=heard))
        if taken:
            [told] = taken  # of one form, as they have been checked
            told = told.take(np.argsort(told.sender, kind="stable"))
            groups = self._grouping.group(
                told, section.groups, learning.draws.child("groups"), number
            )
            server_bytes += yield from self._tell(number, told.sender, groups, kind)
            self._link(number)
        stage.recorder.event(
            "groups",
            number,
            reported=len(came),
            grouped=int((self._group >= 0).sum()),
            groups=len(np.unique(self._group[self._group >= 0])),
            server_bytes=server_bytes,
        )

    def _tell(self, number: int, phones: IntArray, groups: Groups, kind: Kind) -> Process:
        """Send phones their group and what belongs to it; the value is the bytes that arrived."""
        answer, channel = groups.answer, self._gossip.channel
        down = GROUP_BYTES if answer is None else channel.down(answer).nbytes()
        jobs = self._plan(number, phones, kind, down_bytes=down)
        yield self.stage.recorder.play(jobs)
        got = np.flatnonzero(jobs.done)
        self._group[phones[got]] = groups.members[got]
        self.stage.recorder.grouped(number, phones[got], groups.members[got])
        if groups.columns:
            store = self.learning.store
            rows = {**store.gather(phones[got])}
            rows.update({name: values[got] for name, values in groups.columns.items()})
            store.commit(phones[got], rows)
        return int(jobs["down_bytes"][got].sum())

    def _plan(self, number: int, phones: IntArray, kind: Kind, **columns: object) -> Jobs:
        section = self.section
        return self.stage.recorder.plan(
            phones,
            kind,
            round=number,
            needs=section.needs,
            version=number,
            deadline_us=self.stage.now_us + round(section.deadline_s * SECOND_US / 2),
            load_bytes=-1,
            **columns,
        )


def within_groups(group: IntArray, links: int, draws: Draws, counter: int) -> Topology:
    """Return a random ring in each group in which a member has *links* neighbours, or all.

    Phones in group -1 have none.
    """
    members = np.flatnonzero(group >= 0)
    order = draws.order(members, counter)
    order = order[np.argsort(group[order], kind="stable")]
    edges = []
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    for start, end in zip(starts, [*starts[1:], len(order)], strict=True):
        ring = order[start:end]
        for ahead in range(1, min(max(links // 2, 1), len(ring) // 2) + 1):
            edges.append(np.column_stack([ring, np.roll(ring, -ahead)]))
    together = np.concatenate(edges) if edges else np.empty((0, 2), np.int64)
    return from_edges(len(group), together)


def check(scenario: Any) -> None:
    """Raise ScenarioError where a server would group phones by what has not happened yet."""
    if scenario.data.clock_starts_s is not None:
        raise ScenarioError(
            f"data.clock_starts_s = {scenario.data.clock_starts_s}: groups are made by all events "
            "of the data; leave the key out or choose another protocol.kind"
        )


METHOD = Method(
    kind="protocol",
    name="groups",
    section=GroupsSection,
    build=lambda section, context, learning: SemiDecentralised(context, learning, section),
    source="Qu et al.: Semi-decentralized Federated Ego Graph Learning (WWW 2023)",
    gives=frozenset({"peers", "groups", "sends", "unlearns"}),
    needs={"rule": frozenset({"peers", "grouping"})},
    check=check,
)
