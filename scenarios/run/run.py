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
from droidloop.models.evaluation.evaluate import Judged
from droidloop.models.evaluation.evaluator import Scorer, TableScorer
from droidloop.models.learning.learning import Snapshot
from droidloop.models.packages.export import export
from droidloop.models.packages.litert import LiteRT
from droidloop.models.packages.package import Package
from droidloop.models.packages.shipped import Shipped
from droidloop.platform.cluster import Cluster
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.ledger import Words
from droidloop.platform.rundir import RunDirectory
from droidloop.platform.tables import TABLES
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.delivery.delivery import Delivery
from droidloop.scenarios.delivery.package_work import DeliveryWorks
from droidloop.scenarios.delivery.shipment import shipment_of
from droidloop.scenarios.reports.measured import described
from droidloop.scenarios.reports.summary import summarise
from droidloop.scenarios.runtime.context import ProtocolContext
from droidloop.scenarios.runtime.fleets import Attached, fleet_of, take_seats, training_models
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.remote_training import Train, train_here, train_on
from droidloop.scenarios.schema.chosen import method_of
from droidloop.scenarios.schema.fit import require_devices_fit
from droidloop.scenarios.schema.schema import Scenario

from .coverage import shares_ppm
from .experiment import Experiment, prepare
from .records import Records, note_split

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
    if attached.phones:
        require_devices_fit(scenario)
    engine = Engine()
    directory = RunDirectory.create(out, seed=scenario.seed, scenario=scenario.resolved())
    attached.note(directory)
    directory.add(**_measured(study))
    ledger = directory.ledger()
    play = None if cluster is None else play_on(cluster)
    fleet = fleet_of(scenario, engine, study.population, attached, directory.path, ledger, play)
    recorder = Recorder(engine, fleet, ledger, overhead=scenario.population.overhead)
    train = train_here if cluster is None else train_on(cluster)
    run = _Run(scenario, study, recorder, directory, attached, progress, train)
    engine.run(engine.process(run.process()))
    ledger.close()
    directory.finish(wall_s=round(time.monotonic() - started, 3))
    return summarise(directory)


def _measured(study: Experiment) -> dict[str, Any]:
    """Return what the manifest says of how *study* is measured."""
    evaluator, rates = study.evaluator, study.learning.answers == "ratings"
    return {
        "metrics": [described(metric, rates=rates) for metric in evaluator.metrics],
        "best_by": evaluator.yardstick.name,
        "users": evaluator.split.n_users,
        "items": evaluator.split.n_items,
    }


@dataclass
class _Best:
    """The round that was best on the validation part, and what it had learned."""

    quality: float
    round: int
    trained: Snapshot


class _Run:
    """The processes of one run, and what they hand to one another."""

    def __init__(
        self,
        scenario: Scenario,
        study: Experiment,
        recorder: Recorder,
        directory: RunDirectory,
        attached: Attached,
        progress: Progress,
        train: Train,
    ) -> None:
        self._scenario = scenario
        self._study = study
        self._recorder = recorder
        self._directory = directory
        self._attached = attached
        self._progress = progress
        self._train = train
        self._best: _Best | None = None
        self._battery_before_uj = study.population.state["battery_uj"].copy()

    def process(self) -> Process:
        """Train, export, deliver; then settle every phone's accounts at the end."""
        note_split(self._recorder.note, self._study.task.split)
        stage = ProtocolContext(
            self._recorder,
            self._study.population,
            Draws(self._scenario.seed, "selection"),
            self._after_round,
            training_models() if self._attached.phones else None,
            self._train,
            self._study.links,
        )
        section = self._scenario.protocol
        protocol = method_of("protocol", section).build(section, stage, self._study.learning)
        yield from protocol.process()
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
        self._note_accounts(self._recorder.engine.now_us)

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
        trained, evaluator = self._study.learning.snapshot(), self._study.evaluator
        if trained.rated is not None:
            rated = trained.rated("valid")["trained"]
            found = {metric.name: metric.mean(rated) for metric in evaluator.metrics}
        else:
            found = evaluator.qualities(trained.scorers["trained"], "valid")
        known = {name: value for name, value in found.items() if not np.isnan(value)}
        ppm = {f"{name}_ppm": round(1e6 * value) for name, value in known.items()}
        self._recorder.event("valid", number, **ppm)
        quality = evaluator.yardstick.sign * found[evaluator.yardstick.name]
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
        best, evaluator = self._best_round(), self._study.evaluator
        records = Records(
            self._recorder.note,
            evaluator.metrics,
            self._classes,
            self._recorder.engine.now_us,
            best.round,
        )
        scorers: dict[str, Scorer] = {**best.trained.scorers, **self._study.baselines()}
        if shipped is not None and package is not None:
            for variant in VARIANTS:
                values = LiteRT(package.model(variant)).scores(shipped.private).values
                scorers[variant] = TableScorer(values)
            overlap = evaluator.overlap(scorers["float32"], scorers["int8"])
            where = {"model": "int8", "ranking": "sampled", "part": "test"}
            for name, shares in overlap.values.items():
                records.by_user(overlap.users, name, shares, **where)
        for model, scorer in scorers.items():
            for ranking, judged in evaluator.judged(scorer).items():
                records.judged(judged, model, ranking)
        parts: tuple[Part, ...] = ("valid", "test") if best.trained.rated is not None else ()
        for part in parts:
            assert best.trained.rated is not None
            for model, rated in best.trained.rated(part).items():
                users = np.arange(len(rated.offsets) - 1)
                records.judged(Judged(users, rated=rated), model, "rated", part)

    @property
    def _classes(self) -> Words:
        population = self._study.population
        return Words(population.profiles, population.traits["profile"])

    def _note_accounts(self, end_us: int) -> None:
        """Note every phone's accounts, complete to *end_us*."""
        population = self._study.population
        settle(population.world, end_us)
        self._recorder.event("map", -1, **shares_ppm(population.world.map, end_us))
        state, traits = population.state, population.traits
        measured = np.zeros(len(population), bool)
        measured[list(self._attached.phones)] = True
        columns = {
            "phone": np.arange(len(population)),
            "profile": self._classes,
            "region": Words(population.regions, traits["region"]),
            "radio": Words(population.radios, traits["radio"]),
            "measured": measured,
            "capacity_uj": traits["capacity_uj"],
            "battery_before_uj": self._battery_before_uj,
            "battery_after_uj": state["battery_uj"],
        }
        same = set(state.dtype.names or ()) & {one.name for one in TABLES["devices"].columns}
        columns |= {name: state[name] for name in same - {"t_us"}}
        self._recorder.note("devices", t_us=end_us, **columns)
