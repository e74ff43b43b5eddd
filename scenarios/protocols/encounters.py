"""Gossip without a network: two phones that meet swap what they know, then learn from it.

The contact is a job of both, over the direct link: what each has known before, one way and then
the other. It counts if it came to its end on both; then all whose turn it is learn.
"""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.interfaces.learning import Cost
from droidloop.models.learning.learning import PeerLearning
from droidloop.network.movement import Map
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind, Need
from droidloop.platform.state import Stateful
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.meeting import meet
from droidloop.scenarios.schema.turns import Turns

from .peer_turn import PeerTurns
from .relayed_gossip import Neighbours
from .turn_loop import TurnLoop
from .unlearning_turns import peer_unlearning


@dataclass
class OpportunisticGossip(Stateful):
    """The protocol: who is within *reach_m* of a linked phone swaps with it."""

    stage: ProtocolContext
    learning: PeerLearning
    section: Turns
    neighbours: Neighbours
    reach_m: int

    STATE = ("_loop", "steps", "_unlearning")

    def __post_init__(self) -> None:
        self._loop = TurnLoop(self.stage, self.section)
        needs = self.section.needs | Need.DIRECT
        self.steps = PeerTurns(self.stage, self.learning, self.section, needs)
        self._chance = self.stage.draws.child("meeting")
        self._unlearning = peer_unlearning(self.stage, self.learning, self._unlearn)

    def process(self) -> Process:
        """Run all turns, one every ``every_s``."""
        if not self._loop.begun:
            yield from self.steps.open()
        yield from self._loop.run(self._turn, self._unlearning)

    def _unlearn(self, number: int, turn: int) -> Process:
        """Play one turn of unlearning; see ``UnlearningTurns.play``."""
        yield from self._turn(number, "unlearning", Kind.UNLEARN)

    def _turn(self, number: int, name: str = "round", kind: Kind = Kind.EXCHANGE) -> Process:
        stage, open_us = self.stage, self.stage.now_us
        phones = self.steps.ask(number)
        world: Map = stage.population.world.map
        partner = meet(
            world,
            stage.roster.present(self.neighbours()),
            phones,
            open_us,
            self.reach_m,
            self._chance,
            number,
        )
        able = self.steps.channel.may_send(phones)
        pairs = (partner >= 0) & able & able[np.searchsorted(phones, np.maximum(partner, 0))]
        inbox = yield from self._swap(number, phones[pairs], partner[pairs], kind)
        silent = np.zeros(len(phones), np.bool_)
        jobs, learned = yield from self.steps.play(number, phones, inbox, silent, kind, here=True)
        self.steps.channel.note(number)
        stage.recorder.event(
            name,
            number,
            open_us=open_us,
            selected=len(phones),
            done=int(jobs.done.sum()),
            length_us=stage.now_us - open_us,
            met=int(pairs.sum()),
            messages=sum(len(part) for part in inbox),
            learned=learned,
            version=number + 1,
        )

    def _swap(self, number: int, phones: IntArray, partner: IntArray, kind: Kind) -> Process:
        """Play the contacts of *phones* with *partner*; the value is what came across, by form."""
        if not len(phones):
            return []
        stage, channel = self.stage, self.steps.channel
        honest = self.steps.share(phones, number)
        sent = channel.once(self.steps.mail(honest, number))
        size = sent.nbytes()
        theirs = np.searchsorted(phones, partner)
        jobs = stage.plan(
            self.section,
            phones,
            kind,
            channel.cost(honest, Cost(0, 0, 0)),
            round=number,
            version=number,
            needs=self.section.needs | Need.DIRECT,
            down_bytes=size[theirs],
            up_bytes=size,
            deadline_us=self.steps.deadline_us(0.5),
        )
        yield stage.recorder.play(jobs)
        channel.left(phones[jobs.done], number)
        both = jobs.done & jobs.done[theirs]
        came = []
        for part, place in zip(sent.parts, sent.places, strict=True):
            part = replace(part, receiver=partner[place]).take(both[place])
            came += [part.take(np.argsort(part.receiver, kind="stable"))] if len(part) else []
        return came
