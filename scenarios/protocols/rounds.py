"""Synchronous rounds: the server asks phones, waits until its deadline, and folds what came.

Phones that are late, die or leave cost energy and bytes and give nothing; those that computed but
could not send keep their private result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import simpy
from pydantic import Field, model_validator

from droidloop.models.learning.learning import FederatedLearning
from droidloop.platform.engine import Process
from droidloop.platform.registry import Method
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import PolicyTurns, require_closed

from .federated_turn import FederatedTurns, Wave
from .turn_loop import TurnLoop


class RoundsSection(PolicyTurns):
    """Rounds: the server asks phones, waits for enough or its deadline, folds what came."""

    every_s: Annotated[float, Field(ge=0.0)] = 1800.0
    """From the start of one round to that of the next; 0: it starts when the last one has ended."""
    over_select: Annotated[float, Field(ge=1.0)] = 1.0
    """How many times `clients` phones are asked; the round closes when `clients` have answered."""

    @model_validator(mode="after")
    def _rounds_can_end(self) -> "RoundsSection":
        if self.every_s:
            require_closed(self)
        if self.over_select > 1 and self.clients is None:
            raise ValueError(
                f"protocol.over_select = {self.over_select} asks more phones than answer: "
                "set protocol.clients"
            )
        return self


@dataclass
class Rounds(Stateful):
    """The protocol.

    Who is still at work when enough have answered is cut off: it goes on to its end, which nobody
    waits for, and keeps its private result.
    """

    stage: ProtocolContext
    learning: FederatedLearning
    section: RoundsSection
    _late: list[Wave] = field(default_factory=list)

    STATE = ("_steps", "_loop", "_late")

    def __post_init__(self) -> None:
        self._steps = FederatedTurns(self.stage, self.learning, self.section)
        self._loop = TurnLoop(self.stage, self.section)

    def process(self) -> Process:
        """Run all rounds; then wait for those that were cut off."""
        recorder = self.stage.recorder
        yield from self._loop.run(self._round)
        yield recorder.engine.all_of([recorder.end_of(wave.jobs) for wave in self._late])

    def _round(self, number: int) -> Process:
        learning, stage, section = self.learning, self.stage, self.section
        open_us = stage.now_us
        lasts_us = round((section.every_s or section.deadline_s) * SECOND_US)
        self._see_late()
        clients = section.clients
        asked = None if clients is None else round(clients * section.over_select)
        phones = self._steps.ask(number, asked)
        waves = self._steps.begin(number, phones)
        yield self._enough(waves)
        closed_us, arrived, refused = stage.now_us, 0, 0
        came = [self._steps.ended(wave, closed_us + 1) for wave in waves]
        for wave, done in zip(waves, came, strict=True):
            stage.recorder.cut(wave.jobs)
            arrived += len(done)
            refused += yield from self._steps.fold_after_answers(
                wave.step, done, open_us + lasts_us - 1
            )
        self._late += [wave for wave in waves if len(wave.left)]
        learning.server.close()
        self._steps.channel.note(number)
        cut = {} if section.over_select == 1 else {"cut": sum(len(wave.left) for wave in waves)}
        stage.recorder.event(
            "round",
            number,
            open_us=open_us,
            selected=len(phones),
            done=arrived,
            refused=refused,
            length_us=stage.now_us - open_us,
            version=learning.server.version,
            **cut,
        )

    def _enough(self, waves: Sequence[Wave]) -> simpy.Event:
        """Return the event of all having ended, or of enough having answered."""
        recorder, section = self.stage.recorder, self.section
        if section.over_select > 1 and section.clients is not None:
            return recorder.arrivals([wave.jobs for wave in waves], section.clients)
        return recorder.engine.all_of([recorder.end_of(wave.jobs) for wave in waves])

    def _see_late(self) -> None:
        """Have those keep their results who were cut off and have ended."""
        for wave in self._late:
            self._steps.ended(wave, self.stage.now_us + 1)
        self._late = [wave for wave in self._late if len(wave.left)]


METHOD = Method(
    kind="protocol",
    name="rounds",
    section=RoundsSection,
    build=lambda section, context, learning: Rounds(context, learning, section),
    source="McMahan et al.: Communication-Efficient Learning of Deep Networks (AISTATS 2017)",
    gives=frozenset({"server", "rounds", "sends", "phases"}),
    needs={"rule": frozenset({"server"})},
)
