"""A fleet of both: some phones are real, all others rows of a table."""

from collections.abc import Collection
from typing import final

import numpy as np
import simpy

from droidloop.platform.draws import IntArray
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs

from .fleet import Fleet
from .work import PartOfWork, Work


@final
class MixedFleet:
    """Sends the jobs of the phones in *attached* to the fleet *real*, the others to *simulated*."""

    def __init__(
        self, engine: Engine, simulated: Fleet, real: Fleet, attached: Collection[int]
    ) -> None:
        self._engine = engine
        self._simulated = simulated
        self._real = real
        self._attached = np.array(sorted(attached), np.int64)

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Play *jobs*, each where its phone is; see ``Fleet.run``."""
        real = np.isin(jobs["phone"], self._attached)
        parts = []
        for fleet, mask in ((self._simulated, ~real), (self._real, real)):
            index = np.flatnonzero(mask)
            if len(index):
                part = jobs.take(index)
                theirs = None if work is None else PartOfWork(work, index)
                parts.append((index, part, fleet.run(part, theirs)))
        return self._engine.process(self._join(jobs, parts))

    def _join(self, jobs: Jobs, parts: list[tuple[IntArray, Jobs, simpy.Event]]) -> Process:
        yield self._engine.all_of([event for _, _, event in parts])
        for index, part, _ in parts:
            jobs.rows[index] = part.rows
        return jobs
