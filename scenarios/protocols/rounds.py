"""Synchronous rounds: the server asks phones, waits until its deadline, and folds what came.

Phones that are late, die or leave cost energy and bytes and give nothing; those that computed but
could not send keep their private result.
"""

from dataclasses import dataclass

import numpy as np

from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.engine import Process
from droidloop.platform.jobs import Jobs
from droidloop.platform.registry import Method
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import ClosedTurns, PolicyTurns

from .federated_turn import FederatedTurns, Step


class RoundsSection(ClosedTurns, PolicyTurns):
    """Synchronous rounds: the server asks phones, waits until its deadline, folds what came."""


@dataclass
class Rounds(Stateful):
    """The protocol."""

    stage: ProtocolContext
    learning: FederatedLearning
    section: RoundsSection
    _start_us: int = -1
    _number: int = 0
    _open: list[tuple[Step, Jobs]] | None = None

    STATE = ("_steps", "_start_us", "_number", "_open")

    def __post_init__(self) -> None:
        self._steps = FederatedTurns(self.stage, self.learning, self.section)

    def process(self) -> Process:
        """Run all rounds, one every ``every_s``."""
        recorder, section = self.stage.recorder, self.section
        engine, every_us = recorder.engine, round(section.every_s * SECOND_US)
        if self._start_us < 0:
            self._start_us = engine.now_us
        while self._number < section.rounds:
            if self._open is None:
                yield engine.until(self._start_us + self._number * every_us)
                self._open = self._ask()
            yield engine.all_of([recorder.end_of(jobs) for _, jobs in self._open])
            self._close(self._open)
            self._open = None
            self._number += 1
            self.stage.after_round(self._number - 1)
        yield engine.until(self._start_us + section.rounds * every_us)

    def _ask(self) -> list[tuple[Step, Jobs]]:
        """Ask phones, and have them begin."""
        steps = self._steps
        phones = steps.ask(self._number, self.section.clients)
        open_ = [(step, steps.plan(step)) for step in steps.take(self._number, phones)]
        for step, jobs in open_:
            self.stage.recorder.play(jobs, steps.work(step))
        return open_

    def _close(self, open_: list[tuple[Step, Jobs]]) -> None:
        """Fold what came in time."""
        learning, stage = self.learning, self.stage
        selected = arrived = refused = 0
        open_us = stage.now_us
        for step, jobs in open_:
            self._steps.keep(step, np.flatnonzero(jobs["compute_end_us"] >= 0))
            selected += len(jobs)
            arrived += int(jobs.done.sum())
            refused += self._steps.fold(step, np.flatnonzero(jobs.done))
            open_us = min([open_us, *jobs["plan_us"].tolist()])
        learning.server.close()
        stage.recorder.event(
            "round",
            self._number,
            open_us=open_us,
            selected=selected,
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
    gives=frozenset({"server", "rounds"}),
    needs={"rule": frozenset({"server"})},
)
