"""A fleet of both: some phones are real, all others rows of a table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import final

import numpy as np
import simpy

from droidloop.devices.population.population import Population
from droidloop.platform.arrays import BoolArray
from droidloop.platform.engine import Engine, Process, Start
from droidloop.platform.jobs import Jobs
from droidloop.platform.state import Tree

from .fleet import EndsKnown, Lasting, end_of
from .work import PartOfWork, Work


def put_on_cable(population: Population, phones: Collection[int]) -> None:
    """Have the rows that real devices stand for always on, idle, at home and on a charger.

    So is a device that hangs on a cable, whatever its owner's row would do; its hardware, links
    and energy stay those of the row.
    """
    rows = sorted(phones)
    population.traits["ideal"][rows] = True
    population.traits["wifi"][rows] = len(population.radios)  # the last radio, as `build` has it


@dataclass
class _Parts:
    """Jobs under way: which of them are the devices', and whether all others have ended."""

    real: BoolArray
    over: bool


@final
class MixedFleet(EndsKnown):
    """Sends the jobs of the phones in *attached* to the fleet *real*, the others to *simulated*.

    The clock stands still while devices work: what they gave is known when ``run`` returns, so no
    job is ever under way on a device when the state of a run is taken.
    """

    def __init__(
        self, engine: Engine, simulated: Lasting, real: Lasting, attached: Collection[int]
    ) -> None:
        self._engine = engine
        self._simulated = simulated
        self._real = real
        self._attached = np.array(sorted(attached), np.int64)
        self._under_way: dict[int, _Parts] = {}

    def run(self, jobs: Jobs, work: Work | None = None) -> simpy.Event:
        """Play *jobs*, each where its phone is; see ``Fleet.run``."""
        # what carries nothing to compute is played by the laws for everybody
        real = np.isin(jobs["phone"], self._attached) & (work is not None)
        ended: simpy.Event | None = None
        for fleet, mask in ((self._simulated, ~real), (self._real, real)):
            index = np.flatnonzero(mask)
            if len(index):
                part = jobs.take(index)
                theirs = None if work is None else PartOfWork(work, index)
                event = fleet.run(part, theirs)
                jobs.rows[index] = part.rows  # a cohort's and a device's end is known at once
                if fleet is self._simulated:
                    ended = event
        if ended is None or isinstance(self._simulated, EndsKnown):
            return end_of(self._engine, jobs)
        self._under_way[int(jobs["job"][0])] = _Parts(real, over=False)
        return self._engine.process(self._join(jobs, ended))

    def _join(self, jobs: Jobs, ended: simpy.Event | None) -> Process:
        """Fill in what simulated phones gave when that has *ended*; end when devices have too."""
        first = int(jobs["job"][0])
        parts = self._under_way[first]
        if ended is not None:
            done = yield ended
            jobs.rows[~parts.real] = done.rows
            parts.over = True
        yield end_of(self._engine, jobs)
        del self._under_way[first]
        return jobs

    def state(self, places: Mapping[simpy.Event, int]) -> Tree:
        """Return what both fleets know, and whose the jobs under way are; see ``Lasting``."""
        return {
            "simulated": self._simulated.state(places),
            "real": self._real.state(places),
            "under_way": [
                {"first": first, "real": parts.real, "over": parts.over}
                for first, parts in self._under_way.items()
            ],
        }

    def restore(self, tree: Tree) -> list[Start]:
        """Know what *tree* says; see ``Lasting.restore``."""
        self._under_way = {
            one["first"]: _Parts(one["real"], one["over"]) for one in tree["under_way"]
        }
        starts = self._simulated.restore(tree["simulated"])
        return starts + self._real.restore(tree["real"])

    def again(self, jobs: Jobs) -> simpy.Event:
        """Return the end of *jobs*; see ``Lasting.again``."""
        parts = self._under_way.get(int(jobs["job"][0]))
        if parts is None:
            return end_of(self._engine, jobs)
        ended = None if parts.over else self._simulated.again(jobs.take(~parts.real))
        return self._engine.process(self._join(jobs, ended))
