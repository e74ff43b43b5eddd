"""Fleets play jobs. The simulated fleet plays them on phones that exist as rows of a table."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
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
from droidloop.platform.engine import Engine, Recurring, Start
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Jobs, Need, Outcome
from droidloop.platform.state import Tree, pack, unpack

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

    def arrivals(self, batches: Sequence[Jobs], wanted: int) -> simpy.Event:
        """Return the event of *wanted* of the jobs in *batches*, all begun, being done.

        It happens when all have ended if that comes first.
        """
        ...


@runtime_checkable
class Lasting(Fleet, Protocol):
    """A fleet whose jobs under way outlast the process that plays them."""

    def state(self, places: Mapping[simpy.Event, int]) -> Tree:
        """Return what it knows of the jobs under way; *places* are those of events to come."""
        ...

    def restore(self, tree: Tree) -> list[Start]:
        """Know what *tree* says; return what goes on, by its place among events."""
        ...

    def again(self, jobs: Jobs) -> simpy.Event:
        """Return the event that ``run`` returned for *jobs*, which are under way."""
        ...


class EndsKnown:
    """What fleets share that know at the decision when their jobs will end: they keep nothing."""

    _engine: Engine

    def state(self, places: Mapping[simpy.Event, int]) -> Tree:
        """Return nothing: all is in the jobs' rows; see ``Lasting.state``."""
        return None

    def restore(self, tree: Tree) -> list[Start]:
        """Return nothing that goes on; see ``Lasting.restore``."""
        return []

    def again(self, jobs: Jobs) -> simpy.Event:
        """Return the end of *jobs*; see ``Lasting.again``."""
        return end_of(self._engine, jobs)

    def arrivals(self, batches: Sequence[Jobs], wanted: int) -> simpy.Event:
        """Return when that many are done, or all over; see ``Fleet.arrivals``."""
        rows = np.concatenate([jobs.rows for jobs in batches])
        done_us = np.sort(rows["finish_us"][rows["outcome"] == Outcome.DONE])
        if len(done_us) >= wanted:
            return self._engine.until(done_us[wanted - 1])
        return end_of(self._engine, Jobs(rows))


class CohortFleet(EndsKnown):
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
        return end_of(self._engine, jobs)


class ExactFleet:
    """Plays jobs phase by phase at their virtual times; same laws and same rows as cohort play."""

    def __init__(self, engine: Engine, population: Population) -> None:
        self._engine = engine
        self._population = population
        self._last: dict[int, _Playing] = {}
        self._under_way: dict[int, _Batch] = {}
        self._links = SharedLinks(engine, population) if population.cells else None

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Start one job after the other; see ``Fleet.run``."""
        batch = _Batch(self._engine, Batch(self._population.world, jobs.rows), jobs, self._links)
        if len(jobs):
            self._watch(batch)
        for k, phone in enumerate(jobs["phone"].tolist()):
            playing = _Playing(batch, k)
            before = self._last.get(phone)
            self._last[phone] = playing
            if before is None or before.free:
                playing.begin()
            else:  # a phone does one job at a time, in the order of planning
                playing.wait_for(before)
        return batch.ended

    def _watch(self, batch: "_Batch") -> None:
        """Know *batch* until it has ended."""
        first = int(batch.jobs["job"][0])
        self._under_way[first] = batch
        batch.watchers.append(partial(self._forget, first))

    def _forget(self, first: int) -> None:
        if not self._under_way[first].left:
            del self._under_way[first]

    def state(self, places: Mapping[simpy.Event, int]) -> Tree:
        """Return the jobs that have not ended, or that others wait for; see ``Lasting.state``."""
        lines = [one for last in self._last.values() for one in last.line()]
        batches = list({id(one.batch): one.batch for one in lines}.values())
        number = {id(batch): k for k, batch in enumerate(batches)}
        rows = np.zeros(len(lines), PLAYING_DTYPE)
        for k, one in enumerate(lines):
            rows[k] = (number[id(one.batch)], *one.row(places))
        batches_left = [{"jobs": pack(batch.jobs), "left": batch.left} for batch in batches]
        return {"playing": rows, "batches": batches_left}

    def restore(self, tree: Tree) -> list[Start]:
        """Know the jobs of *tree*; see ``Lasting.restore``."""
        batches = []
        for one in tree["batches"]:
            jobs = unpack(one["jobs"])
            handle = Batch(self._population.world, jobs.rows)
            batches.append(_Batch(self._engine, handle, jobs, self._links, one["left"]))
            if one["left"]:
                self._watch(batches[-1])
        starts: list[Start] = []
        self._last = {}
        for row in tree["playing"]:
            playing = _Playing(batches[int(row["batch"])], int(row["k"]))
            before = self._last.get(playing.phone)
            starts += playing.restored(row, before)
            self._last[playing.phone] = playing
        return starts

    def again(self, jobs: Jobs) -> simpy.Event:
        """Return the end of *jobs*; see ``Lasting.again``."""
        return self._under_way[int(jobs["job"][0])].ended

    def arrivals(self, batches: Sequence[Jobs], wanted: int) -> simpy.Event:
        """Return when that many are done, or all over; see ``Fleet.arrivals``."""
        enough = self._engine.event()

        def look() -> None:
            now_us, done, left = self._engine.now_us, 0, 0
            for jobs in batches:
                over = (jobs["outcome"] != Outcome.PLANNED) & (jobs["finish_us"] <= now_us)
                done += int((jobs.done & over).sum())
                left += int((~over).sum())
            if not enough.triggered and (done >= wanted or not left):
                enough.succeed()

        for jobs in batches:
            if len(jobs) and int(jobs["job"][0]) in self._under_way:
                self._under_way[int(jobs["job"][0])].watchers.append(look)
        look()
        return enough


PLAYING_DTYPE = np.dtype(
    [
        ("batch", np.int64),
        ("k", np.int64),  # row of the batch
        ("phase", np.int64),
        ("begun", np.bool_),
        ("ended", np.bool_),
        ("at_us", np.int64),  # when the phase is over
        ("place", np.int64),  # of that among events
        ("limit_place", np.int64),
    ]
)
"""A job under way; those of a phone follow one another in the order in which they wait."""


class _Batch:
    """The jobs of one call, and the event of their end."""

    def __init__(
        self,
        engine: Engine,
        handle: Batch,
        jobs: Jobs,
        links: SharedLinks | None,
        left: int | None = None,
    ) -> None:
        self.links = links
        self.engine = engine
        self.handle = handle
        self.ended = engine.event()
        self.jobs = jobs
        self.watchers: list[Callable[[], None]] = []
        self.left = len(jobs) if left is None else left
        if not len(jobs):
            self.ended.succeed(jobs)

    def one_ended(self) -> None:
        self.left -= 1
        for look in self.watchers:
            look()
        if self.left == 0:
            self.ended.succeed(self.jobs)


class _Playing(Recurring):
    """One job under way: a recurring event, which happens when a phase is over."""

    __slots__ = (
        *("_at_us", "_begun", "_ended", "_k", "_limit", "_next", "_phase", "_waits_for", "batch"),
    )

    def __init__(self, batch: _Batch, k: int) -> None:
        super().__init__(batch.engine)
        self.batch = batch
        self._k = k
        self._phase = 0
        self._begun = self._ended = False
        self._waits_for: _Playing | None = None
        self._next: _Playing | None = None
        self._at_us = -1
        self._limit: simpy.Event | None = None

    @property
    def phone(self) -> int:
        """Whose job it is."""
        return int(self.batch.jobs.rows["phone"][self._k])

    def line(self) -> "list[_Playing]":
        """Return this job and all that it waits for, the first to end first; none if it is free."""
        found: list[_Playing] = []
        one: _Playing | None = None if self.free else self
        while one is not None:
            found.append(one)
            one = one._waits_for
        return found[::-1]

    def row(self, places: Mapping[simpy.Event, int]) -> tuple[Any, ...]:
        """Return what ``PLAYING_DTYPE`` holds of it, without the batch."""
        limit = -1 if self._limit is None else places.get(self._limit, -1)
        place = places.get(self, -1)
        return self._k, self._phase, self._begun, self._ended, self._at_us, place, limit

    def restored(self, row: Any, before: "_Playing | None") -> list[Start]:
        """Be as *row* says, behind *before*; return what goes on."""
        self._phase, self._begun, self._ended = (
            int(row["phase"]),
            bool(row["begun"]),
            bool(row["ended"]),
        )
        self._waits_for = before
        if before is not None:
            before._next = self
        if not self._begun:
            return [(int(row["limit_place"]), self._wait_for_limit)]
        self._at_us = int(row["at_us"])
        return [] if self._ended else [(int(row["place"]), partial(self.again_at, self._at_us))]

    @property
    def free(self) -> bool:
        """Whether this job and all that it waits for have ended."""
        return self._ended and self._waits_for is None

    def wait_for(self, before: "_Playing") -> None:
        """Begin when *before* and all before it have ended, or else at the job's own limit."""
        self._waits_for, before._next = before, self
        self._wait_for_limit()

    def _wait_for_limit(self) -> None:
        self._limit = self.batch.engine.until(limit_of(self.batch.handle, self._k))
        assert self._limit.callbacks is not None
        self._limit.callbacks.append(lambda _: self.begin())

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
        self.batch.one_ended()
        if self._waits_for is None:
            self._hand_over()

    def _play_phase(self) -> None:
        batch = self.batch
        if batch.links is not None and self._phase in (DOWNLOAD, UPLOAD):
            row, up = batch.jobs.rows[self._k], self._phase == UPLOAD
            if not row["needs"] & Need.DIRECT:
                moving = batch.links.transfer(batch.handle, row, self._k, up=up)
                assert moving.callbacks is not None
                moving.callbacks.append(self._moved)
                return
        reached = play_phase(batch.handle, self._k, self._phase)
        self._phase, self._at_us = reached & 3, reached >> 2
        self.again_at(self._at_us)

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


def end_of(engine: Engine, jobs: Jobs) -> simpy.Event:
    """Return the event of the end of the last of *jobs*, its value, once played."""
    last_us = int(jobs["finish_us"].max()) if len(jobs) else engine.now_us
    return engine.until(last_us, jobs)
