"""The virtual clock: a SimPy environment in integer microseconds.

What decides something is a process here. What merely goes on (a battery, a coverage gap) is a
function of time and never an event, so cost grows with what happens, not with phones x seconds.
"""

from collections.abc import Generator
from typing import Any

import simpy

Process = Generator[simpy.Event, Any, Any]


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

    @property
    def now_us(self) -> int:
        """The virtual time in microseconds."""
        return int(self._environment.now)

    def process(self, generator: Process) -> simpy.Process:
        """Start a process: a generator that yields events."""
        return self._environment.process(generator)

    def until(self, t_us: int) -> simpy.Event:
        """Return an event at *t_us* (now, if that is past); numpy integers are welcome."""
        environment = self._environment
        delay = int(t_us) - environment.now
        return simpy.Timeout(environment, delay if delay > 0 else 0)

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
