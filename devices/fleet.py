"""Fleets play jobs. The simulated fleet plays them on phones that exist as rows of a table."""

from typing import Protocol

import simpy

from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs

from .batch import Batch
from .play import limit_of, play_cohort, play_phase
from .population import Population
from .work import Work


class Fleet(Protocol):
    """Plays jobs on phones: simulated, recorded or real."""

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Start *jobs*, all planned for now; the event happens when all have ended.

        The outcome columns of *jobs* are filled in place, and the event's value is *jobs*. What
        the jobs carry is in *work*; simulated phones play their costs and leave it alone.
        """
        ...


class CohortFleet:
    """Plays a whole cohort in one call, at the decision: fast, for phones that share nothing."""

    def __init__(self, engine: Engine, population: Population) -> None:
        self._engine = engine
        self._population = population

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Play *jobs* now; see ``Fleet.run``."""
        play_cohort(self._population.world, jobs.rows)
        return self._engine.process(end_of(self._engine, jobs))


class ExactFleet:
    """Plays each job as a SimPy process, phase by phase; same laws and same rows as cohort play."""

    def __init__(self, engine: Engine, population: Population) -> None:
        self._engine = engine
        self._population = population
        self._last: dict[int, simpy.Event] = {}

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Start one process a job; see ``Fleet.run``."""
        batch = Batch(self._population.world, jobs.rows)
        events: list[simpy.Event] = []
        for k, phone in enumerate(jobs["phone"].tolist()):
            before = self._last.get(phone)
            if before is None or before.processed:
                event = self._engine.process(self._play(batch, k))
                self._last[phone] = event
            else:  # a phone does one job at a time, in the order of planning
                event = self._engine.process(self._queue(batch, k, before))
                self._last[phone] = self._engine.process(self._both(before, event))
            events.append(event)
        return self._engine.process(self._all(events, jobs))

    def _queue(self, batch: Batch, k: int, before: simpy.Event) -> Process:
        limit = self._engine.until(limit_of(batch, k))
        yield self._engine.any_of([before, limit])
        yield from self._play(batch, k)

    def _both(self, before: simpy.Event, event: simpy.Event) -> Process:
        # a process, as SimPy forgets a condition within a condition that has happened
        yield before
        yield event

    def _play(self, batch: Batch, k: int) -> Process:
        phase = 0
        while True:
            reached = play_phase(batch, k, phase)
            yield self._engine.until(reached >> 2)
            phase = reached & 3
            if phase == 0:
                return

    def _all(self, events: list[simpy.Event], jobs: Jobs) -> Process:
        yield self._engine.all_of(events)
        return jobs


def end_of(engine: Engine, jobs: Jobs) -> Process:
    """Wait until the last of *jobs*, already played, has ended; return them."""
    if len(jobs):
        yield engine.until(int(jobs["finish_us"].max()))
    return jobs
