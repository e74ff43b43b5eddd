"""Rounds with a server, short to write: a protocol says whom each of them asks."""

from dataclasses import dataclass

from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import PolicyTurns

from .federated_turn import FederatedTurns
from .turn_loop import TurnLoop


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

    STATE = ("steps", "_loop")

    def __post_init__(self) -> None:
        self.steps = FederatedTurns(self.stage, self.learning, self.section)
        self._loop = TurnLoop(self.stage, self.section)

    def ask(self, number: int) -> IntArray:
        """Return the phones that round *number* asks, sorted."""
        return self.steps.ask(number, self.section.clients)

    def process(self) -> Process:
        """Run all rounds."""
        yield from self._loop.run(self._round)

    def _round(self, number: int) -> Process:
        stage, server, open_us = self.stage, self.learning.server, self.stage.now_us
        until_us = open_us + round(self.section.every_s * SECOND_US) - 1
        phones = self.ask(number)
        waves = self.steps.begin(number, phones)
        yield stage.recorder.engine.all_of([stage.recorder.end_of(wave.jobs) for wave in waves])
        arrived = refused = 0
        for wave in waves:
            came = self.steps.ended(wave, stage.now_us + 1)
            arrived += len(came)
            refused += yield from self.steps.fold_after_answers(wave.step, came, until_us)
        server.close()
        self.steps.channel.note(number)
        stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=arrived,
            refused=refused,
            length_us=stage.now_us - open_us,
            version=server.version,
        )
