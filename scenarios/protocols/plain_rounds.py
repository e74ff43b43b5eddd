"""Rounds with a server, short to write: a protocol says whom each of them asks."""

from dataclasses import dataclass

import numpy as np

from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import PolicyTurns

from .federated_turn import FederatedTurns


@dataclass
class PlainRounds:
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

    def __post_init__(self) -> None:
        self.steps = FederatedTurns(self.stage, self.learning, self.section)

    def ask(self, number: int) -> IntArray:
        """Return the phones that round *number* asks, sorted."""
        return self.steps.ask(number, self.section.clients)

    def process(self) -> Process:
        """Run all rounds."""
        engine, section = self.stage.recorder.engine, self.section
        start_us, every_us = engine.now_us, round(section.every_s * SECOND_US)
        for number in range(section.rounds):
            yield engine.until(start_us + number * every_us)
            yield from self._round(number, engine.now_us + every_us - 1)
            self.stage.after_round(number)
        yield engine.until(start_us + section.rounds * every_us)

    def _round(self, number: int, until_us: int) -> Process:
        stage, server, open_us = self.stage, self.learning.server, self.stage.now_us
        phones = self.ask(number)
        waves = [(step, self.steps.plan(step)) for step in self.steps.take(number, phones)]
        played = [stage.recorder.play(jobs, self.steps.work(step)) for step, jobs in waves]
        yield stage.recorder.engine.all_of(played)
        arrived = refused = 0
        for step, jobs in waves:
            fetched, computed = (
                np.flatnonzero(jobs[end] >= 0) for end in ("down_end_us", "compute_end_us")
            )
            self.steps.keep(step, fetched, computed)
            came = np.flatnonzero(jobs.done)
            arrived += len(came)
            refused += yield from self.steps.fold_after_answers(step, came, until_us)
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
