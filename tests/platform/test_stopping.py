"""Signals end what is being done: at once, or when it is ready for it."""

import os
import signal

import pytest

from droidloop.platform.stopping import (
    ENDING,
    StoppedError,
    asked_by,
    heard_by,
    interruptible,
    patient,
    require_going,
)


def send(number: int) -> None:
    """Have this process get the signal *number*, and hear of it."""
    os.kill(os.getpid(), number)
    for _ in range(1000):
        pass


@pytest.mark.parametrize("number", ENDING)
def test_a_command_ends_at_once_with_the_exit_code_of_its_signal(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(StoppedError, match=number.name) as caught, interruptible():
        send(number)
    assert caught.value.exit_code == 128 + number
    assert signal.getsignal(number) is before
    assert asked_by() is None


@pytest.mark.parametrize("number", ENDING)
def test_a_run_is_asked_first_and_interrupted_then(number: signal.Signals) -> None:
    told: list[str] = []
    heard: list[bool] = []

    def asked_twice() -> None:
        with interruptible(), patient(told.append), heard_by(lambda: heard.append(True)):
            send(number)
            assert asked_by() == number
            with pytest.raises(StoppedError, match="before it began"):
                require_going("here")
            send(signal.SIGTERM)

    with pytest.raises(StoppedError) as caught:
        asked_twice()
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert heard == [True]
    assert [line.partition(":")[0] for line in told] == [number.name]


def test_what_is_to_be_ignored_stays_so() -> None:
    """As ``nohup`` has it for SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            send(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_nothing_is_asked_where_no_signal_came() -> None:
    with interruptible(), patient(print):
        require_going("here")
