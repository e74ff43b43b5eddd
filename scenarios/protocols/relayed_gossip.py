"""Gossip: in its turn a phone fetches what others told it, learns, and tells a neighbour.

One job a turn: download, computation, upload. A message waits in a relay for its receiver. When a
phone asks (pull), it gets what the neighbour has said last.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from droidloop.models.learning.learning import PeerLearning
from droidloop.network.topology import Topology
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.state import Stateful
from droidloop.scenarios.runtime.channel import Channel
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.mail import by_form
from droidloop.scenarios.schema.turns import Turns

from .peer_turn import PeerTurns
from .relay import Relay
from .turn_loop import TurnLoop

Mode = Literal["push", "pull", "push-pull"]
Neighbours = Callable[[], Topology]
"""Returns who is linked with whom now."""


@dataclass
class Gossip(Stateful):
    """The protocol over the topology that *neighbours* gives at the start of each turn."""

    stage: ProtocolContext
    learning: PeerLearning
    section: Turns
    mode: Mode
    keep_turns: int
    neighbours: Neighbours

    STATE = ("_loop", "steps", "_relay")

    def __post_init__(self) -> None:
        self._loop = TurnLoop(self.stage, self.section)
        self.steps = PeerTurns(self.stage, self.learning, self.section)
        self._relay = Relay(len(self.stage.population))
        self._partners = self.stage.draws.child("partners")

    def process(self) -> Process:
        """Open, then run all turns, one every ``every_s``."""
        if not self._loop.begun:
            yield from self.steps.open()
        yield from self._loop.run(self.turn)

    def turn(self, number: int) -> Process:
        """Play one turn of the phones that can work now."""
        open_us, expired = self.stage.now_us, self._relay.expire(number - self.keep_turns)
        phones = self.steps.ask(number)
        partner = choose_partners(self.neighbours(), phones, self._partners, number)
        inbox = self._inbox(phones, partner)
        tells = partner >= 0 if self.mode != "pull" else np.ones(len(phones), np.bool_)
        tells &= self.steps.channel.may_send(phones)
        jobs, learned = yield from self.steps.play(number, phones, inbox, tells, Kind.EXCHANGE)
        self._relay.taken(phones[jobs["down_end_us"] >= 0])
        told = np.flatnonzero(jobs.done & tells)
        self._tell(number, jobs, phones[told], partner[told], jobs["finish_us"][told])
        self.steps.channel.note(number)
        self.stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=int(jobs.done.sum()),
            length_us=self.stage.now_us - open_us,
            messages=sum(len(part) for part in inbox),
            learned=learned,
            expired=expired,
            peer_bytes=int((jobs["down_bytes"] + jobs["up_bytes"])[jobs.done].sum()),
            version=number + 1,
        )

    @property
    def channel(self) -> Channel:
        """The way of the messages."""
        return self.steps.channel

    def _inbox(self, phones: IntArray, partner: IntArray) -> list[Messages]:
        """Return what *phones* fetch in this turn, by form, each sorted by receiver."""
        parts = []
        if self.mode != "pull":
            parts += self._relay.waiting(phones)
        if self.mode != "push":
            asks = partner >= 0
            parts += self._relay.last_of(partner[asks], phones[asks])
        found = by_form(parts)
        return [part.take(np.argsort(part.receiver, kind="stable")) for part in found]

    def _tell(
        self, number: int, jobs: Jobs, phones: IntArray, partner: IntArray, arrived_us: IntArray
    ) -> None:
        if not len(phones):
            return
        channel = self.steps.channel
        sent = channel.once(self.steps.mail(self.steps.share(phones, number), number))
        channel.left(phones, number)
        for part, place in zip(sent.parts, sent.places, strict=True):
            if self.mode != "push":
                self._relay.remember(part)
            if self.mode != "pull":
                self._relay.put(replace(part, receiver=partner[place]), arrived_us[place], number)


def choose_partners(topology: Topology, phones: IntArray, draws: Draws, number: int) -> IntArray:
    """Return a neighbour of each of *phones*, drawn evenly; ``SERVER`` where there is none."""
    degrees = topology.degrees[phones]
    picked = (draws.uniform(phones, number) * degrees).astype(np.int64)
    partner = np.full(len(phones), SERVER, np.int64)
    some = degrees > 0
    partner[some] = topology.neighbours[topology.offsets[phones[some]] + picked[some]]
    return partner
