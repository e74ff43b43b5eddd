"""The replay fleet: answers jobs from a recorded run, simulated or real.

With it a run that real phones took part in can be repeated and tested without them: the recorded
row stands in for the played one, and the phone's state follows it.
"""

from pathlib import Path

import numpy as np
import simpy

from droidloop.platform.engine import Engine
from droidloop.platform.errors import LedgerError
from droidloop.platform.jobs import JOB_DTYPE, Jobs
from droidloop.platform.ledger import read

from .battery import advance
from .fleet import end_of
from .population import Population
from .work import Work

_PLAN = JOB_DTYPE.names[: JOB_DTYPE.names.index("outcome")] if JOB_DTYPE.names else ()


class ReplayFleet:
    """Plays the jobs of the run recorded in *folder* again."""

    def __init__(self, engine: Engine, population: Population, folder: Path) -> None:
        self._engine = engine
        self._population = population
        self._folder = folder
        rows = read(folder, "jobs")
        self._rows = rows[np.argsort(rows["job"])]

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Fill in what the recorded run says of *jobs*; see ``Fleet.run``.

        Raises:
            LedgerError: the recorded run planned other jobs: another scenario, seed or version.
        """
        where = np.searchsorted(self._rows["job"], jobs["job"])
        known = where < len(self._rows)
        found = self._rows[np.where(known, where, 0)] if len(self._rows) else jobs.rows
        same = known & np.all([found[name] == jobs[name] for name in _PLAN], axis=0)
        if not same.all():
            job = int(jobs["job"][~same][0])
            raise LedgerError(f"{self._folder}: job {job} was not recorded as it is planned now")
        jobs.rows[:] = found
        for row in jobs.rows:
            self._follow(row)
        return self._engine.process(end_of(self._engine, jobs))

    def _follow(self, row: np.void) -> None:
        """Bring the phone's accounts to where the recorded job left them."""
        if row["battery_uj"] < 0:
            return  # given up while the phone was busy with another
        phone = int(row["phone"])
        state = self._population.state[phone]
        advance(self._population.world, phone, int(row["start_us"]), 0, 0, 0, False)
        state["t_us"] = state["busy_until_us"] = row["finish_us"]
        for name in ("promotion_uj", "radio_uj", "cpu_uj", "own_uj", "accepted_uj"):
            state[name] += row[name]
        state["tail_uj"] = state["booked_tail_uj"] = state["booked_tail_uj"] + row["tail_uj"]
        for name in ("battery_uj", "cell_end_us", "wifi_end_us"):
            state[name] = row[name]
        for name in ("downloaded_bytes", "uploaded_bytes"):
            state[name] += row[name]
        died = not state["dead"] and row["battery_uj"] == 0 and row["finish_us"] > row["start_us"]
        state["deaths"] += died
        state["dead"] = state["dead"] or died
