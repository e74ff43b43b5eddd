"""Gossip: in its turn a phone fetches what others told it, learns, and tells some neighbours.

One job a turn: download, computation, upload. A message goes up once, and waits in a relay for each
of its receivers. When a phone asks (pull), it gets what its neighbours have said last.
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
from .unlearning_turns import peer_unlearning

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
    fan: int
    neighbours: Neighbours

    STATE = ("_loop", "steps", "_relay", "_unlearning")

    def __post_init__(self) -> None:
        self._loop = TurnLoop(self.stage, self.section)
        self.steps = PeerTurns(self.stage, self.learning, self.section)
        self._relay = Relay(len(self.stage.population))
        self._partners = self.stage.draws.child("partners")
        self._unlearning = peer_unlearning(self.stage, self.learning, self.unlearn, self.erase)

    def process(self) -> Process:
        """Open, then run all turns, one every ``every_s``."""
        if not self._loop.begun:
            yield from self.steps.open()
        yield from self._loop.run(self.turn, self._unlearning)

    def unlearn(self, number: int, turn: int) -> Process:
        """Play one turn of unlearning; what waited from before is thrown away."""
        if turn == 0:
            self._relay.clear()
        yield from self.turn(number, "unlearning", Kind.UNLEARN)

    def erase(self, phones: IntArray) -> None:
        """Throw away what waits: it may be of *phones*, or of before."""
        self._relay.clear()

    def turn(self, number: int, name: str = "round", kind: Kind = Kind.EXCHANGE) -> Process:
        """Play one turn of the phones that can work now, of that *kind*; note it as an event."""
        open_us, expired = self.stage.now_us, self._relay.expire(number - self.keep_turns)
        phones = self.steps.ask(number)
        partners = choose_partners(
            self.stage.roster.present(self.neighbours()), phones, self._partners, number, self.fan
        )
        inbox = self._inbox(phones, partners)
        tells = partners[:, 0] >= 0 if self.mode != "pull" else np.ones(len(phones), np.bool_)
        tells &= self.steps.channel.may_send(phones)
        jobs, learned = yield from self.steps.play(number, phones, inbox, tells, kind)
        self._relay.taken(phones[jobs["down_end_us"] >= 0])
        told = np.flatnonzero(jobs.done & tells)
        self._tell(number, jobs, phones[told], partners[told], jobs["finish_us"][told])
        self.steps.channel.note(number)
        self.stage.recorder.event(
            name,
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

    def _inbox(self, phones: IntArray, partners: IntArray) -> list[Messages]:
        """Return what *phones* fetch in this turn, by form, each sorted by receiver."""
        parts = []
        if self.mode != "pull":
            parts += self._relay.waiting(phones)
        if self.mode != "push":
            asks = partners >= 0
            asking = np.repeat(phones, asks.sum(axis=1))
            parts += self._relay.last_of(partners[asks], asking)
        found = by_form(parts)
        return [part.take(np.argsort(part.receiver, kind="stable")) for part in found]

    def _tell(
        self, number: int, jobs: Jobs, phones: IntArray, partners: IntArray, arrived_us: IntArray
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
                for receiver in partners[place].T:
                    self._relay.put(replace(part, receiver=receiver), arrived_us[place], number)


def choose_partners(
    topology: Topology, phones: IntArray, draws: Draws, number: int, fan: int = 1
) -> IntArray:
    """Return *fan* neighbours of each of *phones*, (phones, fan), drawn evenly, none of them twice.

    Where there are fewer, ``SERVER`` fills up.
    """
    degrees = topology.degrees[phones]
    picked = np.empty((len(phones), fan), np.int64)
    partners = np.full((len(phones), fan), SERVER, np.int64)
    for k in range(fan):
        chance = draws.child(str(k)) if k else draws
        one = (chance.uniform(phones, number) * np.maximum(degrees - k, 0)).astype(np.int64)
        for before in np.sort(picked[:, :k], axis=1).T:
            one += one >= before
        picked[:, k] = one
        some = degrees > k
        partners[some, k] = topology.neighbours[topology.offsets[phones[some]] + one[some]]
    return partners
