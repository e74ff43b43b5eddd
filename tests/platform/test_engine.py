"""The virtual clock: integer microseconds, in order."""

from typing import Any

import numpy as np
import pytest

from droidloop.platform.engine import Engine, Process, Recurring


def test_processes_run_in_the_order_of_virtual_time() -> None:
    engine, seen = Engine(), []

    def ring(name: str, *times_us: int) -> Process:
        for t_us in times_us:
            yield engine.until(t_us)
            seen.append((engine.now_us, name))

    engine.process(ring("a", 30, 50))
    engine.process(ring("b", 10, 30, 40))
    engine.run(100)
    assert seen == [(10, "b"), (30, "a"), (30, "b"), (40, "b"), (50, "a")]


def test_a_past_time_is_now() -> None:
    engine, seen = Engine(), []

    def late() -> Process:
        yield engine.until(20)
        yield engine.until(5)
        seen.append(engine.now_us)

    engine.process(late())
    engine.run(100)
    assert seen == [20]


def test_an_event_at_the_end_of_the_run_is_not_handled() -> None:
    engine, seen = Engine(), []

    def ring() -> Process:
        yield engine.until(100)
        seen.append(engine.now_us)

    engine.process(ring())
    engine.run(100)
    assert (seen, engine.now_us) == ([], 100)
    engine.run(101)
    assert seen == [100]


def test_a_run_ends_with_the_process_that_it_waits_for() -> None:
    engine = Engine()

    def work() -> Process:
        yield engine.until(70)

    engine.run(engine.process(work()))
    assert engine.now_us == 70


def test_time_stays_an_exact_integer_whatever_kind_of_integer_comes_in() -> None:
    """A float would lose microseconds beyond 2**53, and an int32 would overflow."""
    engine = Engine()
    soon_us, end_us, far_us = np.int32(5), np.int64(4), np.int64(2**53 + 1)

    def work() -> Process:
        yield engine.until(soon_us)  # type: ignore[arg-type]
        yield engine.until(far_us)  # type: ignore[arg-type]

    engine.run(end_us)  # type: ignore[arg-type]
    assert type(engine._environment.now) is int
    engine.run(engine.process(work()))
    assert engine.now_us == far_us
    assert type(engine._environment.now) is int


def test_a_run_cannot_end_in_the_past() -> None:
    engine = Engine()
    engine.run(10)
    with pytest.raises(ValueError, match="must end after 10 us, not at 10 us"):
        engine.run(10)


def test_an_error_in_a_process_ends_the_run() -> None:
    engine = Engine()

    def work() -> Process:
        yield engine.until(1)
        raise LookupError("here")

    engine.process(work())
    with pytest.raises(LookupError, match="here"):
        engine.run(10)


def test_waiting_for_all_or_for_any() -> None:
    engine, seen = Engine(), []

    def work() -> Process:
        yield engine.any_of([engine.until(7), engine.until(9)])
        seen.append(engine.now_us)
        yield engine.all_of([engine.until(11), engine.until(9)])
        seen.append(engine.now_us)
        yield engine.all_of([])
        seen.append(engine.now_us)

    engine.process(work())
    engine.run(20)
    assert seen == [7, 11, 11]


def test_one_process_wakes_another_by_an_event() -> None:
    engine, seen = Engine(), []
    bell = engine.event()

    def sleeper() -> Process:
        seen.append((yield bell))

    def ringer() -> Process:
        yield engine.until(3)
        bell.succeed("up")

    engine.process(sleeper())
    engine.process(ringer())
    engine.run(10)
    assert seen == ["up"]


class _Bell(Recurring):
    """Rings at each of its times."""

    def __init__(self, engine: Engine, times_us: list[int], seen: list[int]) -> None:
        super().__init__(engine)
        self._engine, self._times_us, self._seen = engine, times_us, seen
        self.again_at(times_us.pop(0))

    def happen(self) -> None:
        self._seen.append(self._engine.now_us)
        if self._times_us:
            self.again_at(self._times_us.pop(0))


def test_a_recurring_event_happens_as_often_as_it_says_and_never_in_the_past() -> None:
    engine, seen = Engine(), list[int]()
    _Bell(engine, [10, 10, 25, 20, 30], seen)
    engine.run(100)
    assert seen == [10, 10, 25, 25, 30]


def test_recurring_events_and_processes_share_one_clock() -> None:
    engine, seen = Engine(), []

    def ring() -> Process:
        for t_us in (5, 15):
            yield engine.until(t_us)
            seen.append(-engine.now_us)

    engine.process(ring())
    _Bell(engine, [0, 10, 20], seen)
    engine.run(100)
    assert seen == [0, -5, 10, -15, 20]


def test_what_is_to_come_first_does_so_before_all_else_of_its_time() -> None:
    engine, seen = Engine(), []

    def at(name: str, event: Any) -> Process:
        yield event
        seen.append((engine.now_us, name))

    engine.process(at("usual", engine.until(5)))
    engine.process(at("first", engine.first_at(5)))
    engine.process(at("past", engine.first_at(-3)))
    engine.run(10)
    assert seen == [(0, "past"), (5, "first"), (5, "usual")]
