"""A run from end to end: train under the phones' limits, export, deliver, run there, measure."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.android.fleet import Attachment
from droidloop.devices.battery import settle
from droidloop.models.export import export
from droidloop.models.interfaces import Params
from droidloop.models.litert import LiteRT
from droidloop.models.package import Package
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.ledger import DEVICE_DTYPE, Rows
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import SECOND_US

from .delivery import Delivery
from .device_work import DeliveryWorks
from .fleets import Attached, fleet_of, take_seats, training_models
from .quality import ModelScorer, TableScorer
from .recorder import Recorder
from .rounds import Rounds
from .schema import Scenario
from .shipment import shipment_of
from .study import Study, prepare
from .summary import summarise

Progress = Callable[[str, int, int], None]


def execute(
    scenario: Scenario,
    out: Path,
    *,
    replay: Path | None,
    progress: Progress,
    devices: Sequence[Attachment] = (),
) -> dict[str, Any]:
    """Run *scenario* into the new directory *out*; return its summary.

    Everything that the user gave is checked before anything is written. *devices* take part in
    the place of their phones.

    Raises:
        UsageError: *out* exists, or the data, the scenario or the devices cannot be used.
        LedgerError: *replay* is no run of this scenario and seed.
    """
    started = time.monotonic()
    RunDirectory.require_free(out)
    study = prepare(scenario)
    attached = take_seats(study.population, devices, replay)
    engine = Engine()
    directory = RunDirectory.create(out, seed=scenario.seed, scenario=scenario.resolved())
    attached.note(directory)
    ledger = directory.ledger()
    fleet = fleet_of(scenario, engine, study.population, attached, directory.path, ledger)
    recorder = Recorder(engine, fleet, ledger)
    run = _Run(scenario, study, recorder, directory, attached, progress)
    engine.run(engine.process(run.process()))
    ledger.close()
    directory.finish(wall_s=round(time.monotonic() - started, 3))
    return summarise(directory)


@dataclass
class _Best:
    """The round that was best on the validation items, and what it had learned."""

    hit_rate: float
    round: int
    params: Params


class _Run:
    """The processes of one run, and what they hand to one another."""

    def __init__(
        self,
        scenario: Scenario,
        study: Study,
        recorder: Recorder,
        directory: RunDirectory,
        attached: Attached,
        progress: Progress,
    ) -> None:
        self._scenario = scenario
        self._study = study
        self._recorder = recorder
        self._directory = directory
        self._attached = attached
        self._progress = progress
        self._best: _Best | None = None
        self._battery_before_uj = study.population.state["battery_uj"].copy()

    def process(self) -> Process:
        """Train, export, deliver; then settle every phone's accounts at the end."""
        scenario, study, engine = self._scenario, self._study, self._recorder.engine
        rounds = Rounds(
            self._recorder,
            study.population,
            study.learning,
            scenario.protocol,
            Draws(scenario.seed, "selection"),
            self._after_round,
            training_models() if self._attached.phones else None,
        )
        yield from rounds.process()
        self._progress("exporting", 0, 1)
        package = self._export()
        self._measure_quality(package)
        self._progress("exporting", 1, 1)
        end_us = engine.now_us + round(
            (
                scenario.delivery.deadline_s
                + scenario.delivery.lists * scenario.delivery.run_within_s
            )
            * SECOND_US
        )
        shipment = shipment_of(package, scenario.delivery.variant, study.learning.server.version)
        delivery = Delivery(
            self._recorder, study.population, shipment, scenario.delivery, self._works(package)
        )
        yield from delivery.process()
        yield engine.until(end_us)
        self._recorder.write("devices", self._accounts(end_us))

    def _after_round(self, number: int) -> None:
        total = self._scenario.protocol.rounds
        self._progress("training", number + 1, total)
        if (number + 1) % self._scenario.evaluation.every and number + 1 < total:
            return
        study = self._study
        params = study.trained_params()
        hit_rate = study.judge.hit_rate(ModelScorer(study.learning.recommender, params), "valid")
        self._recorder.event("valid", number, hit_rate_ppm=round(1e6 * hit_rate))
        if self._best is None or hit_rate > self._best.hit_rate:
            copied = {name: values.clone() for name, values in params.items()}
            self._best = _Best(hit_rate, number, copied)

    def _works(self, package: Package) -> DeliveryWorks | None:
        """Return what real devices get of *package*; None where there are none."""
        assert self._best is not None
        if not self._attached.phones:
            return None
        return DeliveryWorks(
            package,
            self._directory.path / "package",
            self._scenario.delivery.variant,
            self._best.params["user"].numpy(),
            self._attached.same_instructions,
        )

    def _export(self) -> Package:
        assert self._best is not None
        variants = ("float32", "int8")
        graph = self._study.graph(self._best.params)
        name = self._scenario.name
        package = export(
            graph, name=name, version=self._study.learning.server.version, variants=variants
        )
        package.save(self._directory.path / "package")
        self._recorder.event(
            "package",
            self._best.round,
            **{f"{v}_bytes": package.delivery_bytes(v) for v in variants},
        )
        return package

    def _measure_quality(self, package: Package) -> None:
        assert self._best is not None
        study, judge = self._study, self._study.judge
        when: dict[str, int] = {"t_us": self._recorder.engine.now_us, "round_": self._best.round}
        trained = ModelScorer(study.learning.recommender, self._best.params)
        scorers: dict[str, Any] = {"global": trained, **study.baselines()}
        users = self._best.params["user"].numpy()
        for variant in ("float32", "int8"):
            values = LiteRT(package.model(variant)).scores(users).values
            scorers[variant] = TableScorer(values)
        for model, scorer in scorers.items():
            self._recorder.write("metrics", judge.rows(scorer, model, **when))
        overlap = judge.overlap_rows(scorers["float32"], scorers["int8"], "int8", **when)
        self._recorder.write("metrics", overlap)

    def _accounts(self, end_us: int) -> Rows:
        """Return every phone's accounts, complete to *end_us*."""
        population = self._study.population
        settle(population.world, end_us)
        state, traits = population.state, population.traits
        rows = np.zeros(len(population), DEVICE_DTYPE)
        rows["t_us"], rows["phone"] = end_us, np.arange(len(population))
        rows["profile"] = np.array(population.profiles, "S24")[traits["profile"]]
        rows["region"] = np.array(population.regions, "S16")[traits["region"]]
        rows["radio"] = np.array(population.radios, "S8")[traits["radio"]]
        rows["measured"][list(self._attached.phones)] = True
        rows["capacity_uj"] = traits["capacity_uj"]
        rows["battery_before_uj"] = self._battery_before_uj
        rows["battery_after_uj"] = state["battery_uj"]
        for name in DEVICE_DTYPE.names or ():
            if name in (state.dtype.names or ()) and name != "t_us":
                rows[name] = state[name]
        return rows
