"""A fleet of both: some phones are real, all others rows of a table."""

from collections.abc import Collection
from typing import final

import numpy as np
import simpy

from droidloop.devices.population.population import Population
from droidloop.platform.arrays import IntArray
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs

from .fleet import EndsKnown, Fleet
from .work import PartOfWork, Work


def put_on_cable(population: Population, phones: Collection[int]) -> None:
    """Have the rows that real devices stand for always on, idle, at home and on a charger.

    So is a device that hangs on a cable, whatever its owner's row would do; its hardware, links
    and energy stay those of the row.
    """
    rows = sorted(phones)
    population.traits["ideal"][rows] = True
    population.traits["wifi"][rows] = len(population.radios)  # the last radio, as `build` has it


@final
class MixedFleet(EndsKnown):
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
        # what carries nothing to compute is played by the laws for everybody
        real = np.isin(jobs["phone"], self._attached) & (work is not None)
        parts = []
        for fleet, mask in ((self._simulated, ~real), (self._real, real)):
            index = np.flatnonzero(mask)
            if len(index):
                part = jobs.take(index)
                theirs = None if work is None else PartOfWork(work, index)
                parts.append((index, part, fleet.run(part, theirs)))
                jobs.rows[index] = part.rows  # a cohort's and a device's end is known at once
        return self._engine.process(self._join(jobs, parts))

    def _join(self, jobs: Jobs, parts: list[tuple[IntArray, Jobs, simpy.Event]]) -> Process:
        yield self._engine.all_of([event for _, _, event in parts])
        for index, part, _ in parts:
            jobs.rows[index] = part.rows
        return jobs
