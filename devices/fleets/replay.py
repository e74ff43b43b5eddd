"""The replay fleet: answers jobs from a recorded run, simulated or real.

With it a run that real phones took part in can be repeated and tested without them: the recorded
row stands in for the played one, the phone's state follows it, and what a device had computed is
handed back to whoever planned the job.
"""

from pathlib import Path

import numpy as np
import simpy

from droidloop.devices.population.population import Population
from droidloop.platform.engine import Engine
from droidloop.platform.errors import LedgerError
from droidloop.platform.jobs import JOB_DTYPE, LEARNING, Jobs
from droidloop.platform.ledger import columns_of, read

from .apply_job import follow
from .device_outputs import Evidence, outputs_of
from .fleet import EndsKnown, end_of
from .work import Work

_PLAN = JOB_DTYPE.names[: JOB_DTYPE.names.index("outcome")] if JOB_DTYPE.names else ()


class ReplayFleet(EndsKnown):
    """Plays the jobs of the run recorded in *folder* again.

    What real devices left in that run is copied to *evidence*, so that a replay can be replayed.
    """

    def __init__(
        self,
        engine: Engine,
        population: Population,
        folder: Path,
        evidence: Evidence | None = None,
    ) -> None:
        self._engine = engine
        self._population = population
        self._folder = folder
        self._evidence = evidence
        rows = read(folder, "jobs")
        self._rows = rows[np.argsort(rows["job"])]
        self._measures = read(folder, "measures")

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
            follow(self._population, row)
        self._hand_back(jobs, work)
        return end_of(self._engine, jobs)

    def _hand_back(self, jobs: Jobs, work: Work | None) -> None:
        """Give *work* what devices had computed."""
        for k in np.flatnonzero(jobs["measured"]):
            job = int(jobs["job"][k])
            if self._evidence is not None:
                taken = self._measures[self._measures["job"] == job]
                self._evidence.measured(columns_of("measures", taken))
            if work is None or jobs["compute_end_us"][k] < 0 or jobs["kind"][k] not in LEARNING:
                continue  # nothing that counts elsewhere was computed
            outputs = outputs_of(self._folder, job)
            work.accept(int(k), outputs)
            if self._evidence is not None:
                self._evidence.keep(job, outputs)
