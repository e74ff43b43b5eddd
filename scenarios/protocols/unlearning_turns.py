"""Turns that are played because somebody asked to be forgotten, between those of learning."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from droidloop.models.learning.learning import Learning
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Process
from droidloop.platform.state import Stateful
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.context import ProtocolContext

from .federated_turn import FederatedTurns


@dataclass
class UnlearningTurns(Stateful):
    """Forgets all who have asked for it by then, one lot after the other.

    Attributes:
        stage: clock, ledger and phones.
        learning: what was learned, and what phones hold.
        play: plays a turn: its number among all turns of the run, and among those of the lot.
        erase: forgets what the protocol remembers of some phones.
        drain: waits for what is under way, and has it count for nothing.
        made: how many turns of unlearning there have been.
    """

    stage: ProtocolContext
    learning: Learning
    play: Callable[[int, int], Process]
    erase: Callable[[IntArray], None]
    drain: Callable[[], Process]
    made: int = 0
    _phones: IntArray = field(default_factory=lambda: np.empty(0, np.int64))
    _turn: int = 0
    _turns: int = 0

    STATE = ("made", "_phones", "_turn", "_turns")

    @property
    def due(self) -> bool:
        """Whether somebody is being forgotten, or asked for it."""
        return bool(len(self._phones) or self.stage.roster.wishes.any())

    def turn(self, learned: int, first: int) -> Process:
        """Play the next turn, if it takes one, after *learned* turns in which was learned.

        Its value tells whether one was played. Turns are numbered from *first* on.
        """
        unlearner = self.stage.unlearner
        assert unlearner is not None  # where nobody can be forgotten nobody asks
        if not len(self._phones):
            self._phones = np.flatnonzero(self.stage.roster.wishes)
            yield from self.drain()
            self._turn, self._turns = 0, unlearner.begin(self._phones, learned)
        played = self._turn < self._turns
        if played:
            yield from self.play(first + self.made, self._turn)
            unlearner.closed(self._turn)
            self._turn += 1
            self.made += 1
        self._settle(first)
        return played

    def _settle(self, first: int) -> None:
        """Erase what is left of those who are forgotten, if the last turn has ended."""
        stage, phones = self.stage, self._phones
        if self._turn < self._turns:
            stage.after_unlearning(phones[:0])
            return
        assert stage.unlearner is not None
        stage.unlearner.end(phones)
        self.learning.erase(phones)
        self.erase(phones)
        stage.roster.wishes[phones], stage.roster.forgotten[phones] = False, True
        self._phones = phones[:0]
        stage.recorder.event(
            "forgotten",
            first + self.made - 1,
            phones=len(phones),
            turns=self._turns,
            **stage.unlearner.notes(),
        )
        stage.after_unlearning(phones)


def peer_unlearning(
    stage: ProtocolContext,
    learning: Learning,
    play: Callable[[int, int], Process] | None = None,
    erase: Callable[[IntArray], None] = lambda phones: None,
) -> UnlearningTurns:
    """Return the turns of a protocol without a server, in which nothing is under way between two.

    Without *play* there are none: what phones have is their own.
    """

    def nothing(*numbers: int) -> Process:
        yield from ()

    return UnlearningTurns(stage, learning, play or nothing, erase, nothing)


def federated_turn(
    stage: ProtocolContext,
    steps: FederatedTurns,
    number: int,
    turn: int,
    ask: Callable[[int], IntArray],
) -> Process:
    """Play one turn of unlearning with a server: all who are asked are waited for.

    Whom *ask* gives for the *number*, where it does not matter who.
    """
    unlearner, open_us = stage.unlearner, stage.now_us
    assert unlearner is not None
    named = unlearner.asks(turn)
    phones = ask(number) if named is None else steps.able(number, named)
    steps.turn_to(unlearner.way(turn))
    waves = steps.begin(number, phones)
    yield stage.recorder.engine.all_of([stage.recorder.end_of(wave.jobs) for wave in waves])
    done = refused = 0
    until_us = open_us + round(steps.section.deadline_s * SECOND_US) - 1
    for wave in waves:
        came = steps.ended(wave, stage.now_us + 1)
        done += len(came)
        refused += yield from steps.fold_after_answers(wave.step, came, until_us)
    server = steps.way.server
    server.close()
    steps.turn_to(None)
    steps.channel.note(number)
    stage.recorder.event(
        "unlearning",
        number,
        open_us=open_us,
        selected=len(phones),
        done=done,
        refused=refused,
        length_us=stage.now_us - open_us,
        version=server.version,
    )
