"""Signals that end what is being done: a run at its next checkpoint, all else at once."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from .errors import DroidloopError

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Exit codes are 128 and the number of the signal, as shells have it: 130, 143, 129."""


class _Asked:
    """What this process was asked by signals: they know no caller."""

    by: signal.Signals | None = None
    heard: Callable[[], None] | None = None


class StoppedError(DroidloopError):
    """A signal has ended what was being done."""

    def __init__(self, message: str, by: signal.Signals) -> None:
        super().__init__(message, by)
        self.by = by
        self.exit_code = 128 + by

    def __str__(self) -> str:
        return str(self.args[0])


def asked_by() -> signal.Signals | None:
    """Return the signal that asks for the end; None: there was none."""
    return _Asked.by


def require_going(where: object) -> None:
    """Raise StoppedError if the end was asked for before *where* was begun."""
    if _Asked.by is not None:
        raise StoppedError(f"{where}: ended by {_Asked.by.name} before it began", _Asked.by)


@contextmanager
def heard_by(heard: Callable[[], None]) -> Iterator[None]:
    """Have *heard* be called when a signal asks for the end during the block."""
    before, _Asked.heard = _Asked.heard, heard
    try:
        yield
    finally:
        _Asked.heard = before


@contextmanager
def interruptible() -> Iterator[None]:
    """Have each of ``ENDING`` raise KeyboardInterrupt during the block; contexts then clean up.

    Raises:
        StoppedError: one has come.
    """
    with _handling(_interrupt):
        yield


@contextmanager
def patient(told: Callable[[str], None]) -> Iterator[None]:
    """Have the first of ``ENDING`` ask for the end during the block, the next one interrupt.

    *told* is told the first in a line.

    Raises:
        StoppedError: a second one has come.
    """

    def ask(number: int, frame: FrameType | None) -> None:
        if _Asked.by is not None:
            _interrupt(number, frame)
        _Asked.by = signal.Signals(number)
        told(f"{_Asked.by.name}: ending at the next checkpoint; once more to end at once")
        if _Asked.heard is not None:
            _Asked.heard()

    with _handling(ask):
        yield


def _interrupt(number: int, frame: FrameType | None) -> None:
    _Asked.by = signal.Signals(number)
    raise KeyboardInterrupt


@contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():  # others hear no signals
        yield
        return
    asked, _Asked.by = _Asked.by, None
    before: dict[signal.Signals, Any] = {}
    try:
        for number in ENDING:
            # what whoever started this wants ignored (nohup) stays so
            if signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, handler)
        yield
    except KeyboardInterrupt as error:
        by = _Asked.by or signal.SIGINT
        raise StoppedError(f"ended by {by.name}", by) from error
    finally:
        for number, one in before.items():
            signal.signal(number, one)
        _Asked.by = asked
