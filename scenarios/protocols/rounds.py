"""Synchronous rounds: the server asks phones, waits until its deadline, and folds what came.

Phones that are late, die or leave cost energy and bytes and give nothing; those that computed but
could not send keep their private result.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.engine import Process
from droidloop.platform.registry import Method
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import ClosedTurns, PolicyTurns

from .federated_turn import FederatedTurns
from .turn_loop import TurnLoop


class RoundsSection(ClosedTurns, PolicyTurns):
    """Synchronous rounds: the server asks phones, waits until its deadline, folds what came."""


@dataclass
class Rounds(Stateful):
    """The protocol."""

    stage: ProtocolContext
    learning: FederatedLearning
    section: RoundsSection

    STATE = ("_steps", "_loop")

    def __post_init__(self) -> None:
        self._steps = FederatedTurns(self.stage, self.learning, self.section)
        self._loop = TurnLoop(self.stage, self.section)

    def process(self) -> Process:
        """Run all rounds, one every ``every_s``."""
        yield from self._loop.run(self._round)

    def _round(self, number: int) -> Process:
        learning, stage, open_us = self.learning, self.stage, self.stage.now_us
        until_us = open_us + round(self.section.every_s * SECOND_US) - 1
        phones = self._steps.ask(number, self.section.clients)
        steps = self._steps.take(number, phones)
        batches = [self._steps.plan(step) for step in steps]
        events = [
            stage.recorder.play(jobs, self._steps.work(step))
            for step, jobs in zip(steps, batches, strict=True)
        ]
        yield stage.recorder.engine.all_of(events)
        arrived = refused = 0
        for step, jobs in zip(steps, batches, strict=True):
            fetched = np.flatnonzero(jobs["down_end_us"] >= 0)
            self._steps.keep(step, fetched, np.flatnonzero(jobs["compute_end_us"] >= 0))
            arrived += int(jobs.done.sum())
            came = np.flatnonzero(jobs.done)
            refused += yield from self._steps.fold_after_answers(step, came, until_us)
        learning.server.close()
        self._steps.channel.note(number)
        stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=arrived,
            refused=refused,
            length_us=stage.now_us - open_us,
            version=learning.server.version,
        )


METHOD = Method(
    kind="protocol",
    name="rounds",
    section=RoundsSection,
    build=lambda section, context, learning: Rounds(context, learning, section),
    source="McMahan et al.: Communication-Efficient Learning of Deep Networks (AISTATS 2017)",
    gives=frozenset({"server", "rounds", "sends", "phases"}),
    needs={"rule": frozenset({"server"})},
)
