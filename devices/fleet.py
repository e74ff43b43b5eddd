"""Fleets play jobs. The simulated fleet plays them on phones that exist as rows of a table."""

from typing import Protocol

import simpy

from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs

from .batch import Batch
from .play import play_cohort, play_phase
from .population import Population

_PHASES = 4


class Fleet(Protocol):
    """Plays jobs on phones: simulated, recorded or real."""

    def run(self, jobs: Jobs) -> simpy.Event:
        """Start *jobs*, all planned for now; the event happens when all have ended.

        The outcome columns of *jobs* are filled in place, and the event's value is *jobs*.
        """
        ...


class CohortFleet:
    """Plays a whole cohort in one call, at the decision: fast, for phones that share nothing."""

    def __init__(self, engine: Engine, population: Population) -> None:
        self._engine = engine
        self._population = population

    def run(self, jobs: Jobs) -> simpy.Event:
        """Play *jobs* now; see ``Fleet.run``."""
        play_cohort(self._population.world, jobs.rows)
        return self._engine.process(end_of(self._engine, jobs))


class ExactFleet:
    """Plays each job as a SimPy process, phase by phase; same laws and same rows as cohort play."""

    def __init__(self, engine: Engine, population: Population) -> None:
        self._engine = engine
        self._population = population
        self._last: dict[int, simpy.Event] = {}

    def run(self, jobs: Jobs) -> simpy.Event:
        """Start one process a job; see ``Fleet.run``."""
        batch = Batch(self._population.world, jobs.rows)
        events: list[simpy.Event] = []
        for k, phone in enumerate(jobs["phone"].tolist()):
            event = self._engine.process(self._play(batch, k, self._last.get(phone)))
            self._last[phone] = event
            events.append(event)
        return self._engine.process(self._all(events, jobs))

    def _play(self, batch: Batch, k: int, before: simpy.Event | None) -> Process:
        if before is not None and not before.processed:
            yield before  # a phone does one job at a time
        for phase in range(_PHASES):
            reached_us = play_phase(batch, k, phase)
            if reached_us < 0:
                yield self._engine.until(-1 - reached_us)
                return
            yield self._engine.until(reached_us)

    def _all(self, events: list[simpy.Event], jobs: Jobs) -> Process:
        yield self._engine.all_of(events)
        return jobs


def end_of(engine: Engine, jobs: Jobs) -> Process:
    """Wait until the last of *jobs*, already played, has ended; return them."""
    if len(jobs):
        yield engine.until(int(jobs["finish_us"].max()))
    return jobs
