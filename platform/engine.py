"""The virtual clock: a SimPy environment in integer microseconds.

What decides something is a process here. What merely goes on (a battery, a coverage gap) is a
function of time and never an event, so cost grows with what happens, not with phones x seconds.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any

import simpy

_FIRST: Any = 0
"""A priority before those of timeouts."""
_AFTER: Any = 2
"""A priority below those of SimPy: after what was due at an instant."""
_LAST: Any = 3
"""After all other events of an instant, and what follows from them at once."""

Process = Generator[simpy.Event, Any, Any]
Start = tuple[int, Callable[[], Any]]
"""What goes on when a run is resumed, with its place in the order of events; -1: it waits."""


class Engine:
    """Runs processes in the order of virtual time, from 0 on.

    >>> engine = Engine()
    >>> def ring():
    ...     yield engine.until(1_500_000)
    ...     print(engine.now_us)
    >>> _ = engine.process(ring())
    >>> engine.run(2_000_000)
    1500000
    """

    def __init__(self) -> None:
        self._environment = simpy.Environment(0)
        self._pause = False

    @property
    def now_us(self) -> int:
        """The virtual time in microseconds."""
        return int(self._environment.now)

    def process(self, generator: Process) -> simpy.Process:
        """Start a process: a generator that yields events."""
        return self._environment.process(generator)

    def until(self, t_us: int, value: Any = None) -> simpy.Event:
        """Return an event at *t_us* (now, if that is past); numpy integers are welcome."""
        environment = self._environment
        delay = int(t_us) - environment.now
        return simpy.Timeout(environment, delay if delay > 0 else 0, value)

    def first_at(self, t_us: int) -> simpy.Event:
        """Return an event at *t_us*, before all else that happens then (now, if that is past)."""
        environment = self._environment
        event = simpy.Event(environment)
        event._ok, event._value = True, None
        delay = int(t_us) - environment.now
        environment.schedule(event, priority=_FIRST, delay=delay if delay > 0 else 0)
        return event

    def after_others(self) -> simpy.Event:
        """Return an event that happens now, after what else is due now."""
        return self._now(_AFTER)

    def settled(self) -> simpy.Event:
        """Return an event that happens now, when all else that happens now has happened."""
        return self._now(_LAST)

    def _now(self, priority: Any) -> simpy.Event:
        event = simpy.Event(self._environment)
        event._ok, event._value = True, None
        self._environment.schedule(event, priority=priority)
        return event

    def event(self) -> simpy.Event:
        """Return an event that some process will succeed."""
        return self._environment.event()

    def all_of(self, events: list[simpy.Event]) -> simpy.Event:
        """Return an event that happens when all *events* have."""
        return self._environment.all_of(events)

    def any_of(self, events: list[simpy.Event]) -> simpy.Event:
        """Return an event that happens when one of *events* has."""
        return self._environment.any_of(events)

    def run(self, until: int | simpy.Event) -> None:
        """Handle every event before time *until*, or until that event (a process) has happened."""
        if not isinstance(until, simpy.Event):
            until = int(until)  # SimPy would take a numpy integer for a float
            if until <= self.now_us:
                raise ValueError(f"the run must end after {self.now_us} us, not at {until} us")
        self._environment.run(until)

    def run_quietly(self, until: simpy.Event, quiet: Callable[[], None]) -> None:
        """Handle every event until *until* has happened; once ``pause`` was called, call *quiet*.

        It is called when all that happens at that instant has happened: what is then under way is
        under way in the objects' fields alone, and whoever waits can wait anew.
        """
        environment = self._environment
        while not until.processed:
            environment.step()
            if self._pause and not until.processed and self._quiet:
                self._pause = False
                quiet()

    @property
    def _quiet(self) -> bool:
        """Whether nothing more happens now, but for those who wait for just that."""
        t_us, priority = self._environment._queue[0][:2]
        return t_us > self._environment.now or priority == _LAST

    def pause(self) -> None:
        """Ask for a quiet instant; see ``run_quietly``."""
        self._pause = True

    def places(self) -> dict[simpy.Event, int]:
        """Return the events to come, each with its place in the order in which they will happen.

        Those who wait for a quiet instant come last: what they then wait for is yet to be made.
        """
        now_us = self._environment.now
        queue = sorted(
            self._environment._queue,
            key=lambda entry: (entry[:2] == (now_us, _LAST), *entry[:3]),
        )
        return {entry[3]: place for place, entry in enumerate(queue)}

    def resume(self, now_us: int, starts: Sequence[Start]) -> None:
        """Set the clock to *now_us* and call *starts* in the order of their places.

        What each starts goes on to its next wait before the next is called: so events that are to
        happen at one time happen in the order in which they would have.
        """
        environment = self._environment
        environment._now = int(now_us)
        for _, start in sorted(starts, key=lambda one: one[0]):
            start()
            while environment.peek() <= environment.now:
                environment.step()


class Recurring(simpy.Event):
    """An event that happens again and again: a process without a generator to resume.

    It costs a third of a process that yields timeouts, which counts where ten thousand phones
    move at once. Subclasses say what happens, and in it when it is to happen again.
    """

    __slots__ = ("_happens",)

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine._environment)
        self._ok, self._value = True, None
        # not bound to this object, which would then have to wait for the collector of cycles
        self._happens: list[Any] = [type(self).happen]

    def again_at(self, t_us: int) -> None:
        """Happen at *t_us*, a Python integer (now, if that is past)."""
        self.callbacks = self._happens
        environment = self.env
        delay = t_us - environment.now
        environment.schedule(self, delay=delay if delay > 0 else 0)

    def happen(self) -> None:
        """Do what is to be done now."""
        raise NotImplementedError
