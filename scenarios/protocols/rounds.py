"""Synchronous rounds: the server asks phones, waits until its deadline, and folds what came.

Phones that are late, die or leave cost energy and bytes and give nothing; those that computed but
could not send keep their private result.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import simpy
from pydantic import Field, model_validator

from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.registry import Method
from droidloop.platform.section import SecondsOrNone
from droidloop.scenarios.schema.turns import PolicyTurns, require_closed

from .federated_turn import Wave
from .plain_rounds import PlainRounds


class RoundsSection(PolicyTurns):
    """Rounds: the server asks phones, waits for enough or its deadline, folds what came."""

    every_s: SecondsOrNone = 1800.0
    """From the start of one round to that of the next; 0: it starts when the last one has ended."""
    over_select: Annotated[float, Field(ge=1.0, le=100.0)] = 1.0
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
class Rounds(PlainRounds):
    """The protocol.

    Who is still at work when enough have answered is cut off: it goes on to its end, which nobody
    waits for, and keeps its private result.
    """

    section: RoundsSection
    _late: list[Wave] = field(default_factory=list)

    STATE = ("steps", "_loop", "_unlearning", "_late")

    def process(self) -> Process:
        """Run all rounds; then wait for those that were cut off."""
        recorder = self.stage.recorder
        yield from super().process()
        yield recorder.engine.all_of([recorder.end_of(wave.jobs) for wave in self._late])

    def ask(self, number: int) -> IntArray:
        """Have those keep their results who were cut off and have ended; ask for this round."""
        for wave in self._late:
            self.steps.ended(wave, self.stage.now_us + 1)
        self._late = [wave for wave in self._late if len(wave.left)]
        clients, more = self.section.clients, self.section.over_select
        return self.steps.ask(number, None if clients is None else round(clients * more))

    def drain(self) -> Process:
        """Wait for those who were cut off, who keep nothing; see ``PlainRounds``."""
        recorder = self.stage.recorder
        yield recorder.engine.all_of([recorder.end_of(wave.jobs) for wave in self._late])
        self._late = []

    def answered(self, waves: Sequence[Wave]) -> simpy.Event:
        """Return the event of all having ended, or of enough having answered."""
        section = self.section
        if section.over_select > 1 and section.clients is not None:
            return self.stage.recorder.arrivals([wave.jobs for wave in waves], section.clients)
        return super().answered(waves)

    def closed(self, waves: Sequence[Wave]) -> dict[str, int]:
        """Cut off who is still at work; note how many, where more are asked than needed."""
        for wave in waves:
            self.stage.recorder.cut(wave.jobs)
        self._late += [wave for wave in waves if len(wave.left)]
        if self.section.over_select == 1:
            return {}
        return {"cut": sum(len(wave.left) for wave in waves)}


METHOD = Method(
    kind="protocol",
    name="rounds",
    section=RoundsSection,
    build=lambda section, context, learning: Rounds(context, learning, section),
    source="McMahan et al.: Communication-Efficient Learning of Deep Networks (AISTATS 2017)",
    gives=frozenset({"server", "rounds", "sends", "phases", "unlearns"}),
    needs={"rule": frozenset({"server"})},
)
