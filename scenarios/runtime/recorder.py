"""Between the protocols and the ledger: numbers the jobs, plays them, writes what came of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import simpy

from droidloop.devices.fleets.fleet import Fleet, Lasting
from droidloop.devices.fleets.work import Work
from droidloop.network.wire import wire_bytes
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Engine, Start
from droidloop.platform.jobs import Jobs, Kind, Need, Outcome
from droidloop.platform.ledger import Ledger, Rows, Words
from droidloop.platform.state import Tree, pack, unpack
from droidloop.platform.units import NEVER_US

SERVER = -1


@dataclass
class _UnderWay:
    """Jobs that are being played: since when, what of the fleet tells their end, and who waits."""

    jobs: Jobs
    start_us: int
    ended: simpy.Event
    cut_us: int = NEVER_US
    moving: simpy.Event | None = None


class Listener(Protocol):
    """Hears what a recorder writes, as it happens."""

    def ended(self, jobs: Rows) -> None:
        """Hear of *jobs* that have ended."""

    def happened(self, kind: str, values: Mapping[str, int]) -> None:
        """Hear of an event of the server."""


class Recorder:
    """Plays jobs on a fleet and writes jobs, events and metrics to the ledger.

    A window of the ledger is written only when no batch that began before its end is under way.
    With *overhead*, jobs are planned with what their messages are on the link (``network.wire``).
    Batches that end at one instant do so in the order in which they were planned: that they are
    played phone by phone, or in one call, does not show.
    """

    def __init__(
        self, engine: Engine, fleet: Fleet, ledger: Ledger, *, overhead: bool = False
    ) -> None:
        self.engine = engine
        self._overhead = overhead
        self._fleet = fleet
        self._ledger = ledger
        self.listeners: list[Listener] = []
        self._jobs = 0
        self._open: dict[int, _UnderWay] = {}
        self._over: list[_UnderWay] = []

    def plan(self, phones: IntArray, kind: Kind, **columns: Any) -> Jobs:
        """Return jobs for *phones*, planned for now; see ``Jobs.plan`` for the columns."""
        jobs = Jobs.plan(phones, kind=kind, plan_us=self.engine.now_us, first=self._jobs, **columns)
        self._jobs += len(jobs)
        if self._overhead:
            relayed = (jobs["needs"] & Need.DIRECT) == 0
            rows = jobs.rows[relayed]
            rows["down_bytes"], rows["up_bytes"] = wire_bytes(rows["down_bytes"], rows["up_bytes"])
            jobs.rows[relayed] = rows
        return jobs

    def play(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Play *jobs*; the event happens when all have ended and are in the ledger."""
        moving = self._fleet.run(jobs, work)
        if len(jobs):
            self._note(jobs, self.engine.now_us)
            self._wait(jobs, moving)
        return self.end_of(jobs)

    def end_of(self, jobs: Jobs) -> simpy.Event:
        """Return the event of the end of *jobs*, which have been played: at once if it is over."""
        if len(jobs) and _first(jobs) in self._open:
            return self._open[_first(jobs)].ended
        return self.engine.event().succeed(jobs)

    def arrivals(self, batches: Sequence[Jobs], wanted: int) -> simpy.Event:
        """Return the event of *wanted* of the jobs in *batches* being done, or all over."""
        return self._fleet.arrivals(batches, wanted)

    def cut(self, jobs: Jobs) -> None:
        """Have those of *jobs* that are done later than now count as cut off."""
        if len(jobs) and _first(jobs) in self._open:
            self._open[_first(jobs)].cut_us = self.engine.now_us

    def _note(self, jobs: Jobs, start_us: int) -> None:
        self._open[_first(jobs)] = _UnderWay(jobs, start_us, self.engine.event())

    def _wait(self, jobs: Jobs, moving: simpy.Event) -> None:
        """Have the end of *jobs* be when *moving* happens."""
        one = self._open[_first(jobs)]
        one.moving = moving
        assert moving.callbacks is not None
        moving.callbacks.append(lambda event: self._moved(one, event))

    def _moved(self, one: _UnderWay, event: simpy.Event) -> None:
        if not event.ok:  # the engine raises what went wrong
            return
        if not self._over:
            later = self.engine.after_others()
            assert later.callbacks is not None
            later.callbacks.append(lambda _: self._end_all())
        self._over.append(one)

    def _end_all(self) -> None:
        """End what is over at this instant, in the order in which it was planned."""
        over, self._over = self._over, []
        for one in sorted(over, key=lambda one: _first(one.jobs)):
            self._ended(one)

    def _ended(self, one: _UnderWay) -> None:
        del self._open[_first(one.jobs)]
        late = one.jobs.done & (one.jobs["finish_us"] > one.cut_us)
        one.jobs.rows["outcome"][late] = Outcome.CUT_OFF
        self._ledger.write("jobs", one.jobs.rows)
        for listener in self.listeners:
            listener.ended(one.jobs.rows)
        starts = [other.start_us for other in self._open.values()]
        self._ledger.advance(min([self.engine.now_us, *starts]))
        one.ended.succeed(one.jobs)

    def state(self) -> Tree:
        """Return the jobs under way, what the fleet knows of them, and what the ledger holds."""
        assert isinstance(self._fleet, Lasting)
        places = self.engine.places()
        under_way = [
            {
                "jobs": pack(one.jobs),
                "start_us": one.start_us,
                "cut_us": one.cut_us,
                "place": -1 if one.moving is None else places.get(one.moving, -1),
            }
            for one in self._open.values()
        ]
        return {
            "jobs": self._jobs,
            "under_way": under_way,
            "fleet": self._fleet.state(places),
            "ledger": self._ledger.state(),
        }

    def restore(self, tree: Tree) -> list[Start]:
        """Go on from *tree*; return what starts the jobs under way, by its place among events."""
        assert isinstance(self._fleet, Lasting)
        self._jobs = tree["jobs"]
        self._ledger.restore(tree["ledger"])
        starts = self._fleet.restore(tree["fleet"])
        for one in tree["under_way"]:
            jobs = unpack(one["jobs"])
            self._note(jobs, one["start_us"])
            self._open[_first(jobs)].cut_us = one["cut_us"]
            starts.append((one["place"], partial(self._again, self._fleet, jobs)))
        return starts

    def _again(self, fleet: Lasting, jobs: Jobs) -> None:
        self._wait(jobs, fleet.again(jobs))

    def note(self, table: str, **columns: Any) -> None:
        """Write rows to *table*, given as columns; see ``Ledger.note``."""
        self._ledger.note(table, **columns)

    def learned(self, round_: int, phones: IntArray, teachers: IntArray) -> None:
        """Note that each of *phones* has learned from what that one of *teachers* told it."""
        self._events("learned", round_, phones, "from", teachers)

    def grouped(self, round_: int, phones: IntArray, groups: IntArray) -> None:
        """Note that each of *phones* has heard in which one of *groups* it is from now on."""
        self._events("grouped", round_, phones, "group", groups)

    def churned(self, phones: IntArray, what: Words) -> None:
        """Note *what* each of *phones* has done now: come, gone, or said."""
        self._events("churn", -1, phones, what, 1)

    def event(self, kind: str, round_: int, **values: int) -> None:
        """Note that the server did something now: one row a value."""
        for listener in self.listeners:
            listener.happened(kind, values)
        self._events(kind, round_, SERVER, list(values), list(values.values()))

    def _events(self, kind: str, round_: int, phone: Any, name: Any, value: Any) -> None:
        columns = {"kind": kind, "round": round_, "phone": phone, "name": name, "value": value}
        self.note("events", t_us=self.engine.now_us, **columns)


def _first(jobs: Jobs) -> int:
    """Return the number of the first of *jobs*, by which they are known while under way."""
    return int(jobs["job"][0])
