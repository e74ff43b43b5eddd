"""Fleets play jobs. The simulated fleet plays them on phones that exist as rows of a table."""

from functools import partial
from typing import Protocol

import simpy

from droidloop.devices.phone.play import (
    COMPUTE,
    DOWNLOAD,
    UPLOAD,
    limit_of,
    play_cohort,
    play_phase,
)
from droidloop.devices.population.population import Population
from droidloop.platform.engine import Engine, Process, Recurring
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Jobs, Need

from .job_handle import Batch
from .remote_play import Play
from .shared_cells import SharedLinks
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

    def __init__(
        self,
        engine: Engine,
        population: Population,
        threads: int | None = None,
        play: Play | None = None,
    ) -> None:
        """Raise ScenarioError where phones share cells; *play* says where else cohorts play."""
        if population.cells is not None:
            raise ScenarioError('cohort play cannot share a cell\'s capacity; set play = "exact"')
        self._engine = engine
        self._population = population
        self._play = play or partial(play_cohort, threads=threads)

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Play *jobs* now; see ``Fleet.run``."""
        self._play(self._population.world, jobs.rows)
        return self._engine.process(end_of(self._engine, jobs))


class ExactFleet:
    """Plays jobs phase by phase at their virtual times; same laws and same rows as cohort play."""

    def __init__(self, engine: Engine, population: Population) -> None:
        self._engine = engine
        self._population = population
        self._last: dict[int, _Playing] = {}
        self._links = SharedLinks(engine, population) if population.cells else None

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Start one job after the other; see ``Fleet.run``."""
        batch = _Batch(self._engine, Batch(self._population.world, jobs.rows), jobs, self._links)
        for k, phone in enumerate(jobs["phone"].tolist()):
            playing = _Playing(batch, k)
            before = self._last.get(phone)
            self._last[phone] = playing
            if before is None or before.free:
                playing.begin()
            else:  # a phone does one job at a time, in the order of planning
                playing.wait_for(before)
        return batch.ended


class _Batch:
    """The jobs of one call, and the event of their end."""

    def __init__(
        self, engine: Engine, handle: Batch, jobs: Jobs, links: SharedLinks | None
    ) -> None:
        self.links = links
        self.engine = engine
        self.handle = handle
        self.ended = engine.event()
        self.jobs = jobs
        self._left = len(jobs)
        if not len(jobs):
            self.ended.succeed(jobs)

    def one_ended(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.ended.succeed(self.jobs)


class _Playing(Recurring):
    """One job under way: a recurring event, which happens when a phase is over."""

    __slots__ = ("_batch", "_begun", "_ended", "_k", "_next", "_phase", "_waits_for")

    def __init__(self, batch: _Batch, k: int) -> None:
        super().__init__(batch.engine)
        self._batch = batch
        self._k = k
        self._phase = 0
        self._begun = self._ended = False
        self._waits_for: _Playing | None = None
        self._next: _Playing | None = None

    @property
    def free(self) -> bool:
        """Whether this job and all that it waits for have ended."""
        return self._ended and self._waits_for is None

    def wait_for(self, before: "_Playing") -> None:
        """Begin when *before* and all before it have ended, or else at the job's own limit."""
        self._waits_for, before._next = before, self
        limit = self._batch.engine.until(limit_of(self._batch.handle, self._k))
        assert limit.callbacks is not None
        limit.callbacks.append(lambda _: self.begin())

    def begin(self) -> None:
        """Play the first phase, unless that has happened."""
        if not self._begun:
            self._begun = True
            self._play_phase()

    def happen(self) -> None:
        """Play the next phase, or end."""
        if self._phase:
            self._play_phase()
            return
        self._ended = True
        self._batch.one_ended()
        if self._waits_for is None:
            self._hand_over()

    def _play_phase(self) -> None:
        batch = self._batch
        if batch.links is not None and self._phase in (DOWNLOAD, UPLOAD):
            row, up = batch.jobs.rows[self._k], self._phase == UPLOAD
            if not row["needs"] & Need.DIRECT:
                moving = batch.links.transfer(batch.handle, row, self._k, up=up)
                assert moving.callbacks is not None
                moving.callbacks.append(self._moved)
                return
        reached = play_phase(batch.handle, self._k, self._phase)
        self._phase = reached & 3
        self.again_at(reached >> 2)

    def _moved(self, event: simpy.Event) -> None:
        """Compute after a download that came to its end; else end."""
        self._phase = COMPUTE if event.value else 0
        self.happen()

    def _hand_over(self) -> None:
        """Let the next job of the phone go on, as this one and all before it have ended."""
        follower, self._next = self._next, None
        if follower is None:
            return
        follower._waits_for = None
        if follower._ended:  # it gave up before
            follower._hand_over()
        else:
            follower.begin()


def end_of(engine: Engine, jobs: Jobs) -> Process:
    """Wait until the last of *jobs*, already played, has ended; return them."""
    if len(jobs):
        yield engine.until(int(jobs["finish_us"].max()))
    return jobs
