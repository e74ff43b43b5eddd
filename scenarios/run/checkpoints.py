"""When checkpoints are written: every so many turns, as long as they cost next to nothing."""

import time
from collections.abc import Callable
from pathlib import Path

from droidloop.platform.checkpoint import write_checkpoint
from droidloop.platform.engine import Engine
from droidloop.platform.state import Tree
from droidloop.platform.stopping import StoppedError, asked_by

SHARE = 0.01
"""Of the time of a run that checkpoints may take, as far as the last one tells."""


class Checkpoints:
    """Writes the state of a run into its directory, every *every* turns (0: never)."""

    def __init__(self, engine: Engine, folder: Path, every: int, state: Callable[[], Tree]) -> None:
        self._engine, self._folder, self._every, self._state = engine, folder, every, state
        self._turns, self._took_s, self._last_s = 0, 0.0, time.monotonic()
        self._resting = False
        self.written = 0

    def after_turn(self, *, last: bool = False) -> None:
        """Have a checkpoint be written at the next quiet instant, if it is time for one.

        It is after the *last* turn, whatever it costs: what follows may fail for want of room.
        """
        self._turns += 1
        idle_s = time.monotonic() - self._last_s
        cheap = self._turns >= self._every and self._took_s <= SHARE * idle_s
        if (self._every and (cheap or last)) or asked_by() is not None:
            self._engine.pause()

    def rest(self) -> None:
        """Know that no turn is to come: from now on any quiet instant will do for the end."""
        self._resting = True
        self.hear()

    def hear(self) -> None:
        """Have the run end at the next quiet instant, if a signal asks for it and no turn is on."""
        if self._resting and asked_by() is not None:
            self._engine.pause()

    def write(self) -> None:
        """Write one now; see ``Engine.run_quietly``.

        Raises:
            LedgerError: the run directory cannot be written.
            StoppedError: a signal has asked for the end.
        """
        by = asked_by()
        if by is not None and not self._every:
            raise StoppedError(
                f"{self._folder}: ended by {by.name}; this run keeps no checkpoints, begin it anew",
                by,
            )
        begin_s = time.monotonic()
        write_checkpoint(self._folder, self._state())
        self._last_s = time.monotonic()
        self._took_s, self._turns = self._last_s - begin_s, 0
        self.written += 1
        if by is not None:
            raise StoppedError(
                f"{self._folder}: ended by {by.name}; go on with `droidloop run --resume "
                f"{self._folder}`",
                by,
            )
