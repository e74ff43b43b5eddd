"""A run from end to end: train under the phones' limits, export, deliver, run there, measure."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.fleets.remote_play import play_on
from droidloop.devices.phone.battery import settle
from droidloop.models.data.split import Part
from droidloop.models.packages.export import export
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.network.topology import Topology
from droidloop.platform.cluster import Cluster
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.ledger import DEVICE_DTYPE, Rows
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.delivery.delivery import Delivery
from droidloop.scenarios.delivery.shipment import shipment_of
from droidloop.scenarios.learning.evaluator import Scorer, TableScorer, metric_rows
from droidloop.scenarios.learning.learning import Shipped, Trained
from droidloop.scenarios.protocols.build import (
    conduct_of,
    links_of,
    require_devices_fit,
    require_fit,
)
from droidloop.scenarios.protocols.device_work import DeliveryWorks
from droidloop.scenarios.reports.summary import summarise
from droidloop.scenarios.runtime.context import Stage
from droidloop.scenarios.runtime.fleets import Attached, fleet_of, take_seats, training_models
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.remote_training import Train, train_here, train_on
from droidloop.scenarios.schema.schema import Scenario

from .coverage import shares_ppm
from .experiment import Study, prepare

Progress = Callable[[str, int, int], None]
VARIANTS = ("float32", "int8")


def execute(
    scenario: Scenario,
    out: Path,
    *,
    replay: Path | None,
    progress: Progress,
    devices: Sequence[Attachment] = (),
    cluster: Cluster | None = None,
) -> dict[str, Any]:
    """Run *scenario* into the new directory *out*; return its summary.

    Everything that the user gave is checked before anything is written. *devices* take part in
    the place of their phones. Cohorts are played and trained on *cluster*, if there is one: to the
    same bytes.

    Raises:
        UsageError: *out* exists, or the data, the scenario or the devices cannot be used.
        LedgerError: *replay* is no run of this scenario and seed.
    """
    started = time.monotonic()
    RunDirectory.require_free(out)
    study = prepare(scenario)
    attached = take_seats(study.population, devices, replay)
    require_fit(scenario, study.learning)
    links = links_of(scenario, len(study.population), study.learning)
    if attached.phones:
        require_devices_fit(scenario, study.learning)
    engine = Engine()
    directory = RunDirectory.create(out, seed=scenario.seed, scenario=scenario.resolved())
    attached.note(directory)
    ledger = directory.ledger()
    play = None if cluster is None else play_on(cluster)
    fleet = fleet_of(scenario, engine, study.population, attached, directory.path, ledger, play)
    recorder = Recorder(engine, fleet, ledger, overhead=scenario.population.overhead)
    train = train_here if cluster is None else train_on(cluster)
    run = _Run(scenario, study, recorder, directory, attached, progress, train, links)
    engine.run(engine.process(run.process()))
    ledger.close()
    directory.finish(wall_s=round(time.monotonic() - started, 3))
    return summarise(directory)


@dataclass
class _Best:
    """The round that was best on the validation part, and what it had learned."""

    quality: float
    round: int
    trained: Trained


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
        train: Train,
        links: Topology | None,
    ) -> None:
        self._scenario = scenario
        self._study = study
        self._recorder = recorder
        self._directory = directory
        self._attached = attached
        self._progress = progress
        self._train = train
        self._links = links
        self._best: _Best | None = None
        self._battery_before_uj = study.population.state["battery_uj"].copy()

    def process(self) -> Process:
        """Train, export, deliver; then settle every phone's accounts at the end."""
        stage = Stage(
            self._recorder,
            self._study.population,
            Draws(self._scenario.seed, "selection"),
            self._after_round,
            training_models() if self._attached.phones else None,
            self._train,
        )
        yield from conduct_of(self._scenario, stage, self._study.learning, self._links).process()
        best = self._best_round()
        shipped = None
        if best.trained.ship is not None and self._scenario.delivery.variant != "none":
            shipped = best.trained.ship()
        self._progress("exporting", 0, 1)
        package = None if shipped is None else self._export(shipped)
        self._measure_quality(shipped, package)
        self._progress("exporting", 1, 1)
        if shipped is not None and package is not None:
            yield from self._deliver(shipped, package)
        self._recorder.write("devices", self._accounts(self._recorder.engine.now_us))

    def _best_round(self) -> _Best:
        """Return the best round; what is there now, if no round has ended."""
        if self._best is None:
            self._validate(0)
        assert self._best is not None
        return self._best

    def _deliver(self, shipped: Shipped, package: Package) -> Process:
        scenario, study, engine = self._scenario, self._study, self._recorder.engine
        section = scenario.delivery
        assert section.variant != "none"
        end_us = engine.now_us + round(
            (section.deadline_s + section.lists * section.run_within_s) * SECOND_US
        )
        shipment = shipment_of(package, section.variant, package.manifest.version, shipped.work)
        works = self._works(shipped, package, section.variant)
        yield from Delivery(self._recorder, study.population, shipment, section, works).process()
        yield engine.until(end_us)

    def _after_round(self, number: int) -> None:
        total = self._scenario.protocol.rounds
        self._progress("training", number + 1, total)
        if (number + 1) % self._scenario.evaluation.every == 0 or number + 1 == total:
            self._validate(number)

    def _validate(self, number: int) -> None:
        trained = self._study.learning.look()
        if trained.aucs is not None:
            name, quality = "auc_ppm", trained.aucs("valid")["trained"].means()["auc"]
        else:
            name = "hit_rate_ppm"
            quality = self._study.judge.hit_rate(trained.scorers["trained"], "valid")
        self._recorder.event("valid", number, **{name: round(1e6 * quality)})
        if self._best is None or quality > self._best.quality:
            self._best = _Best(quality, number, trained)

    def _works(self, shipped: Shipped, package: Package, variant: str) -> DeliveryWorks | None:
        """Return what real devices get of *package*; None where there are none."""
        if not self._attached.phones:
            return None
        return DeliveryWorks(
            package,
            self._directory.path / "package",
            variant,
            shipped.private,
            self._attached.same_instructions,
        )

    def _export(self, shipped: Shipped) -> Package:
        best = self._best_round()
        package = export(
            shipped.graph, name=self._scenario.name, version=best.round + 1, variants=VARIANTS
        )
        package.save(self._directory.path / "package")
        self._recorder.event(
            "package",
            best.round,
            **{f"{v}_bytes": package.delivery_bytes(v) for v in VARIANTS},
        )
        return package

    def _measure_quality(self, shipped: Shipped | None, package: Package | None) -> None:
        best, judge = self._best_round(), self._study.judge
        when: dict[str, int] = {"t_us": self._recorder.engine.now_us, "round_": best.round}
        scorers: dict[str, Scorer] = {**best.trained.scorers, **self._study.baselines()}
        if shipped is not None and package is not None:
            for variant in VARIANTS:
                values = LiteRT(package.model(variant)).scores(shipped.private).values
                scorers[variant] = TableScorer(values)
            overlap = judge.overlap_rows(scorers["float32"], scorers["int8"], "int8", **when)
            self._recorder.write("metrics", overlap)
        for model, scorer in scorers.items():
            self._recorder.write("metrics", judge.rows(scorer, model, **when))
        if best.trained.aucs is not None:
            parts: tuple[Part, ...] = ("valid", "test")
            for part in parts:
                for model, aucs in best.trained.aucs(part).items():
                    rows = metric_rows(aucs, model, "rated", part=part, **when)
                    self._recorder.write("metrics", rows)

    def _accounts(self, end_us: int) -> Rows:
        """Return every phone's accounts, complete to *end_us*."""
        population = self._study.population
        settle(population.world, end_us)
        self._recorder.event("map", -1, **shares_ppm(population.world.map, end_us))
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
