"""Rounds whose clients learn nothing: all the physics and the ledger, none of the mathematics."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet
from droidloop.devices.phone.battery import settle
from droidloop.devices.population.population import Population, PopulationSpec, build
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.ledger import Ledger
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.selection import select


@dataclass
class IdleRounds:
    """A population that is asked *rounds* times, and then gets a package if *package_bytes* > 0."""

    phones: int
    rounds: int
    every_s: int
    clients: int | None
    message_bytes: int
    flops: int
    package_bytes: int = 0
    exact: bool = False
    ideal: bool = False
    jobs: int = 0
    done: int = 0
    phases: int = 0

    def run(self, folder: Path) -> Population:
        """Play everything with a ledger in *folder*; count the jobs."""
        population = build(PopulationSpec(self.phones, ideal=self.ideal), Draws(1, "population"))
        engine = Engine()
        fleet = (ExactFleet if self.exact else CohortFleet)(engine, population)
        ledger = Ledger(folder)
        recorder = Recorder(engine, fleet, ledger)
        engine.run(engine.process(self._process(recorder, population)))
        settle(population.world, engine.now_us)
        ledger.close()
        return population

    def _process(self, recorder: Recorder, population: Population) -> Process:
        every_us, draws = self.every_s * SECOND_US, Draws(1, "selection")
        for number in range(self.rounds):
            yield recorder.engine.until(number * every_us)
            now_us = recorder.engine.now_us
            phones = select(
                population.world,
                now_us,
                draws,
                number,
                clients=self.clients,
                needs=Need(0),
                ram_bytes=2**28,
                min_battery=0.0 if self.ideal else 0.3,
            )
            jobs = recorder.plan(
                phones,
                Kind.TRAIN,
                round=number,
                deadline_us=now_us + every_us,
                down_bytes=self.message_bytes,
                up_bytes=self.message_bytes,
                flops=self.flops,
                load_bytes=-1,
                ram_bytes=2**28,
            )
            yield recorder.play(jobs)
            self._count(jobs)
        yield recorder.engine.until(self.rounds * every_us)
        if self.package_bytes:
            everybody = np.arange(len(population))
            jobs = recorder.plan(
                everybody,
                Kind.DELIVER,
                deadline_us=recorder.engine.now_us + 4 * 3600 * SECOND_US,
                down_bytes=self.package_bytes,
                storage_bytes=self.package_bytes,
            )
            yield recorder.play(jobs)
            self._count(jobs)

    def _count(self, jobs: Jobs) -> None:
        """Count jobs, those that were done, and the phases of all that came to an end."""
        self.jobs += len(jobs)
        self.done += int(jobs.done.sum())
        heard = jobs["battery_uj"] >= 0  # the others were given up while their phone was busy
        downloading = heard & (jobs["finish_us"] > jobs["start_us"])
        computing, uploading = jobs["down_end_us"] >= 0, jobs["compute_end_us"] >= 0
        for phase in (heard, downloading, computing, uploading):
            self.phases += int(np.count_nonzero(phase))
