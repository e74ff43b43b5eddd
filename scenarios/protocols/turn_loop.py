"""Turns one after the other: which comes next is all that lasts from one to the next."""

from collections.abc import Callable
from dataclasses import dataclass

from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import Turns


@dataclass
class TurnLoop(Stateful):
    """The turns of a protocol, one every ``every_s``, or when the last one has ended if later.

    Between two turns all has settled: what is under way then lies in fields, and a loop that is
    restored goes on with its next turn.
    """

    stage: ProtocolContext
    section: Turns
    _start_us: int = -1
    _number: int = 0

    STATE = ("_start_us", "_number")

    @property
    def begun(self) -> bool:
        """Whether the first turn has begun."""
        return self._start_us >= 0

    def run(self, turn: Callable[[int], Process]) -> Process:
        """Play all turns that are left."""
        engine, section = self.stage.recorder.engine, self.section
        every_us = round(section.every_s * SECOND_US)
        if not self.begun:
            self._start_us = engine.now_us
        while self._number < section.rounds:
            yield engine.until(self._start_us + self._number * every_us)
            yield from turn(self._number)
            self._number += 1
            self.stage.after_round(self._number - 1)
            yield engine.settled()
        yield engine.until(self._start_us + section.rounds * every_us)
