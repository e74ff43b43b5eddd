"""Between the protocols and the ledger: numbers the jobs, plays them, writes what came of them."""

from typing import Any

import numpy as np
import simpy

from droidloop.devices.fleets.fleet import Fleet
from droidloop.devices.fleets.work import Work
from droidloop.network.wire import wire_bytes
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.ledger import EVENT_DTYPE, Ledger, Rows

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
        self.write("jobs", jobs.rows)
        self._open.remove(start_us)
        self._ledger.advance(min([self.engine.now_us, *self._open]))
        return jobs

    def write(self, table: str, rows: Rows) -> None:
        """Write *rows* to *table*."""
        self._ledger.write(table, rows)

    def learned(self, round_: int, phones: IntArray, teachers: IntArray) -> None:
        """Note that each of *phones* has learned from what that one of *teachers* told it."""
        rows = np.zeros(len(phones), EVENT_DTYPE)
        rows["t_us"], rows["kind"], rows["round"] = self.engine.now_us, "learned", round_
        rows["phone"], rows["name"], rows["value"] = phones, "from", teachers
        self.write("events", rows)

    def grouped(self, round_: int, phones: IntArray, groups: IntArray) -> None:
        """Note that each of *phones* has heard in which one of *groups* it is from now on."""
        rows = np.zeros(len(phones), EVENT_DTYPE)
        rows["t_us"], rows["kind"], rows["round"] = self.engine.now_us, "grouped", round_
        rows["phone"], rows["name"], rows["value"] = phones, "group", groups
        self.write("events", rows)

    def event(self, kind: str, round_: int, **values: int) -> None:
        """Note that the server did something now: one row a value."""
        rows = np.zeros(len(values), EVENT_DTYPE)
        rows["t_us"], rows["kind"], rows["round"] = self.engine.now_us, kind, round_
        rows["phone"] = SERVER
        rows["name"] = list(values)
        rows["value"] = list(values.values())
        self.write("events", rows)
