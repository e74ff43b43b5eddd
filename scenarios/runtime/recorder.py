"""Between the protocols and the ledger: numbers the jobs, plays them, writes what came of them."""

from typing import Any

import simpy

from droidloop.devices.fleets.fleet import Fleet
from droidloop.devices.fleets.work import Work
from droidloop.network.wire import wire_bytes
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.ledger import Ledger

SERVER = -1


class Recorder:
    """Plays jobs on a fleet and writes jobs, events and metrics to the ledger.

    A window of the ledger is written only when no batch that began before its end is under way.
    With *overhead*, jobs are planned with what their messages are on the link (``network.wire``).
    """

    def __init__(
        self, engine: Engine, fleet: Fleet, ledger: Ledger, *, overhead: bool = False
    ) -> None:
        self.engine = engine
        self._overhead = overhead
        self._fleet = fleet
        self._ledger = ledger
        self._jobs = 0
        self._open: list[int] = []

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
        return self.engine.process(self._play(jobs, work))

    def _play(self, jobs: Jobs, work: Work | None) -> Process:
        start_us = self.engine.now_us
        self._open.append(start_us)
        yield self._fleet.run(jobs, work)
        self._ledger.write("jobs", jobs.rows)
        self._open.remove(start_us)
        self._ledger.advance(min([self.engine.now_us, *self._open]))
        return jobs

    def note(self, table: str, **columns: Any) -> None:
        """Write rows to *table*, given as columns; see ``Ledger.note``."""
        self._ledger.note(table, **columns)

    def learned(self, round_: int, phones: IntArray, teachers: IntArray) -> None:
        """Note that each of *phones* has learned from what that one of *teachers* told it."""
        self._events("learned", round_, phones, "from", teachers)

    def grouped(self, round_: int, phones: IntArray, groups: IntArray) -> None:
        """Note that each of *phones* has heard in which one of *groups* it is from now on."""
        self._events("grouped", round_, phones, "group", groups)

    def event(self, kind: str, round_: int, **values: int) -> None:
        """Note that the server did something now: one row a value."""
        self._events(kind, round_, SERVER, list(values), list(values.values()))

    def _events(self, kind: str, round_: int, phone: Any, name: Any, value: Any) -> None:
        columns = {"kind": kind, "round": round_, "phone": phone, "name": name, "value": value}
        self.note("events", t_us=self.engine.now_us, **columns)
