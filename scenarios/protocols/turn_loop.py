"""Turns one after the other: which comes next is all that lasts from one to the next."""

from collections.abc import Callable
from dataclasses import dataclass

from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.schema.turns import Turns

from .unlearning_turns import UnlearningTurns


@dataclass
class TurnLoop(Stateful):
    """The turns of a protocol, one every ``every_s``, or when the last one has ended if later.

    Turns of unlearning come before those in which is learned, and take as long.

    Between two turns all has settled: what is under way then lies in fields, and a loop that is
    restored goes on with its next turn.
    """

    stage: ProtocolContext
    section: Turns
    _start_us: int = -1
    _number: int = 0
    _unlearned: int = 0

    STATE = ("_start_us", "_number", "_unlearned")

    @property
    def begun(self) -> bool:
        """Whether the first turn has begun."""
        return self._start_us >= 0

    def run(self, turn: Callable[[int], Process], unlearning: UnlearningTurns) -> Process:
        """Play all turns that are left, and those of *unlearning* when they are due."""
        engine, section = self.stage.recorder.engine, self.section
        every_us = round(section.every_s * SECOND_US)
        if not self.begun:
            self._start_us = engine.now_us
        while True:
            yield engine.until(self._start_us + (self._number + self._unlearned) * every_us)
            if unlearning.due:
                self._unlearned += yield from unlearning.turn(self._number, section.rounds)
            elif self._number < section.rounds:
                yield from turn(self._number)
                self._number += 1
                self.stage.after_round(self._number - 1)
            else:
                break
            yield engine.settled()
