"""Rounds with a server, short to write: a protocol says whom each of them asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import simpy

from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import PolicyTurns

from .federated_turn import FederatedTurns, Wave
from .turn_loop import TurnLoop
from .unlearning_turns import UnlearningTurns, federated_turn


@dataclass
class PlainRounds(Stateful):
    """A round every ``every_s``: phones are asked, work until the deadline, and are folded.

    Attributes:
        stage: clock, ledger and phones.
        learning: what is learned.
        section: how many rounds, how often, until when.
        steps: asks phones, has them train, and hands what they send to the server.
    """

    stage: ProtocolContext
    learning: FederatedLearning
    section: PolicyTurns

    STATE: ClassVar[tuple[str, ...]] = ("steps", "_loop", "_unlearning")

    def __post_init__(self) -> None:
        self.steps = FederatedTurns(self.stage, self.learning, self.section)
        self._loop = TurnLoop(self.stage, self.section)
        self._unlearning = UnlearningTurns(
            self.stage, self.learning, self._unlearn, self.steps.erase, self.drain
        )

    def ask(self, number: int) -> IntArray:
        """Return the phones that round *number* asks, sorted."""
        return self.steps.ask(number, self.section.clients)

    def process(self) -> Process:
        """Run all rounds."""
        yield from self._loop.run(self._round, self._unlearning)

    def drain(self) -> Process:
        """Wait for what is under way, which counts for nothing: some are to be forgotten."""
        yield from ()

    def answered(self, waves: Sequence[Wave]) -> simpy.Event:
        """Return the event at which a round is over: all who were asked have ended."""
        recorder = self.stage.recorder
        return recorder.engine.all_of([recorder.end_of(wave.jobs) for wave in waves])

    def closed(self, waves: Sequence[Wave]) -> dict[str, int]:
        """Do what is left to do with *waves* whose round is over; return what else is noted."""
        return {}

    def _unlearn(self, number: int, turn: int) -> Process:
        """Play one turn of unlearning; see ``UnlearningTurns.play``."""
        yield from federated_turn(self.stage, self.steps, number, turn, self.ask)

    def _round(self, number: int) -> Process:
        stage, server, section = self.stage, self.learning.server, self.section
        open_us = stage.now_us
        lasts_us = round((section.every_s or section.deadline_s) * SECOND_US)
        phones = self.ask(number)
        waves = self.steps.begin(number, phones)
        yield self.answered(waves)
        came = [self.steps.ended(wave, stage.now_us + 1) for wave in waves]
        noted = self.closed(waves)
        refused = 0
        for wave, done in zip(waves, came, strict=True):
            refused += yield from self.steps.fold_after_answers(
                wave.step, done, open_us + lasts_us - 1
            )
        server.close()
        self.steps.channel.note(number)
        stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=sum(map(len, came)),
            refused=refused,
            length_us=stage.now_us - open_us,
            version=server.version,
            **noted,
        )
