"""Gossip without a network: two phones that meet swap what they know, then learn from it.

The contact is a job of both, over the direct link: what each has known before, one way and then
the other. It counts if it came to its end on both; then all whose turn it is learn.
"""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.models.interfaces.learning import Cost, check_private
from droidloop.models.learning.learning import PeerLearning
from droidloop.network.movement import Map
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Kind, Need
from droidloop.platform.messages import Messages
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.meeting import meet
from droidloop.scenarios.schema.turns import Turns

from .peer_turn import PeerTurns
from .relayed_gossip import Neighbours


@dataclass
class OpportunisticGossip:
    """The protocol: who is within *reach_m* of a linked phone swaps with it."""

    stage: ProtocolContext
    learning: PeerLearning
    section: Turns
    neighbours: Neighbours
    reach_m: int

    def __post_init__(self) -> None:
        needs = self.section.needs | Need.DIRECT
        self._steps = PeerTurns(self.stage, self.learning, self.section, needs)
        self._chance = self.stage.draws.child("meeting")

    def process(self) -> Process:
        """Run all turns, one every ``every_s``."""
        yield from self._steps.open()
        engine, section = self.stage.recorder.engine, self.section
        start_us, every_us = engine.now_us, round(section.every_s * SECOND_US)
        for number in range(section.rounds):
            yield engine.until(start_us + number * every_us)
            yield from self._turn(number)
            self.stage.after_round(number)
        yield engine.until(start_us + section.rounds * every_us)

    def _turn(self, number: int) -> Process:
        stage, open_us = self.stage, self.stage.now_us
        phones = self._steps.ask(number)
        world: Map = stage.population.world.map
        partner = meet(
            world, self.neighbours(), phones, open_us, self.reach_m, self._chance, number
        )
        inbox = yield from self._swap(number, phones[partner >= 0], partner[partner >= 0])
        silent = np.zeros(len(phones), np.bool_)
        jobs, learned = yield from self._steps.play(
            number, phones, inbox, silent, Kind.EXCHANGE, here=True
        )
        stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=int(jobs.done.sum()),
            length_us=stage.now_us - open_us,
            met=int((partner >= 0).sum()),
            messages=0 if inbox is None else len(inbox),
            learned=learned,
            version=number + 1,
        )

    def _swap(self, number: int, phones: IntArray, partner: IntArray) -> Process:
        """Play the contacts of *phones* with *partner*; the value is what came across, or None."""
        if not len(phones):
            return None
        learning, stage = self.learning, self.stage
        sent = learning.peer.share(phones, learning.store, number, learning.draws)
        check_private(sent, learning.recommender)
        size = sent.nbytes()
        theirs = np.searchsorted(phones, partner)
        jobs = stage.plan(
            self.section,
            phones,
            Kind.EXCHANGE,
            Cost(0, 0, 0),
            round=number,
            version=number,
            needs=self.section.needs | Need.DIRECT,
            down_bytes=size[theirs],
            up_bytes=size,
            deadline_us=self._steps.deadline_us(0.5),
        )
        yield stage.recorder.play(jobs)
        both = jobs.done & jobs.done[theirs]
        if not both.any():
            return None
        came: Messages = replace(sent, receiver=partner).take(both)
        return came.take(np.argsort(came.receiver, kind="stable"))
