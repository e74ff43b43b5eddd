"""A run from end to end: train under the phones' limits, export, deliver, run there, measure."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.fleets.remote_play import play_on
from droidloop.devices.phone.battery import settle
from droidloop.models.interfaces.sizes import sizes_of
from droidloop.platform.arrays import IntArray
from droidloop.platform.checkpoint import damaged, read_checkpoint, remove_checkpoint
from droidloop.platform.cluster import Cluster
from droidloop.platform.engine import Engine
from droidloop.platform.errors import UsageError
from droidloop.platform.held import held
from droidloop.platform.ledger import Ledger, Words
from droidloop.platform.rundir import MANIFEST, RunDirectory
from droidloop.platform.state import Tree
from droidloop.platform.stopping import heard_by, require_going
from droidloop.platform.tables import TABLES
from droidloop.scenarios.reports.measured import described
from droidloop.scenarios.reports.summary import records, summarise
from droidloop.scenarios.runtime.curves import Tracker
from droidloop.scenarios.runtime.fleets import Attached, fleet_of, require_same_devices, take_seats
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.remote_training import train_here, train_on
from droidloop.scenarios.schema.fit import require_devices_fit
from droidloop.scenarios.schema.load import check
from droidloop.scenarios.schema.schema import Scenario

from .ahead import compiled_ahead
from .coverage import shares_ppm
from .evaluation import classes_of
from .experiment import Experiment, prepare
from .given import require_same, sums_of
from .whole import Progress, Whole


def execute(
    scenario: Scenario,
    out: Path,
    *,
    replay: Path | None,
    progress: Progress,
    devices: Sequence[Attachment] = (),
    cluster: Cluster | None = None,
    trackers: Sequence[Tracker] = (),
) -> dict[str, Any]:
    """Run *scenario* into the new directory *out*; return its summary.

    Everything that the user gave is checked before anything is written. *devices* take part in
    the place of their phones. Cohorts are played and trained on *cluster*, if there is one: to the
    same bytes. *trackers* hear of every turn.

    Raises:
        UsageError: *out* exists, or the data, the scenario or the devices cannot be used.
        LedgerError: *replay* is no run of this scenario and seed.
    """
    started = time.monotonic()
    RunDirectory.require_free(out)
    with compiled_ahead(scenario):
        study = prepare(scenario)
        _require_same_phones(study, cluster)
        attached = take_seats(study.population, devices, replay)
        if attached.phones:
            require_devices_fit(scenario)
        require_going(out)
        with held(out):
            directory = RunDirectory.create(
                out, seed=scenario.seed, scenario=scenario.resolved(), noted=attached.noted()
            )
            directory.add(**_measured(study))
            run = _Run.of(study, directory, attached, progress, (cluster, trackers))
            run.begin()
            return run.play(started)


def resume(
    out: Path,
    *,
    progress: Progress,
    devices: Sequence[Attachment] = (),
    cluster: Cluster | None = None,
    trackers: Sequence[Tracker] = (),
) -> dict[str, Any]:
    """Go on with the run in *out* from its last checkpoint; return its summary.

    Its ledger becomes the same, byte for byte, as if it had not been killed. Without a checkpoint
    it begins again. Of a run with real *devices*, what they had done by the checkpoint stays; they
    do the rest anew, to whatever they then measure.

    Raises:
        UsageError: the run is complete, cannot be resumed here, or *devices* are not those that it
            was begun with.
        LedgerError: there is no run, or its checkpoint is damaged.
    """
    started = time.monotonic()
    RunDirectory.open(out)  # where there is none, nothing is made
    with held(out):
        directory = RunDirectory.open(out)
        directory.require_resumable()
        require_same_devices(directory, devices)
        scenario = check(directory.manifest()["scenario"], str(out / MANIFEST))
        with compiled_ahead(scenario):
            tree = read_checkpoint(out)
            study = prepare(scenario)
            _require_same_phones(study, cluster)
            replay = directory.manifest().get("replay")
            again = None if replay is None else Path(replay)
            attached = take_seats(study.population, devices, again)
            require_going(out)
            require_same(directory, study)
            directory.add(**_measured(study))  # not there yet where the run had only just begun
            run = _Run.of(study, directory, attached, progress, (cluster, trackers))
            if tree is None:
                run.ledger.begin_again()
                run.begin()
            else:
                run.restore(tree)
            return run.play(started)


def _require_same_phones(study: Experiment, cluster: Cluster | None) -> None:
    """Raise UsageError where a cluster would have to hear that phones are there again."""
    if cluster is not None and len(study.population.stays) > len(study.population):
        raise UsageError(
            "churn: phones come back, and a cluster is told once what phones are; leave --ray out, "
            "or churn.return_share and returns_h"
        )


def _measured(study: Experiment) -> dict[str, Any]:
    """Return what the manifest says of how *study* is measured."""
    evaluator, rates = study.evaluator, study.learning.answers == "ratings"
    return {
        "metrics": [described(metric, rates=rates) for metric in evaluator.metrics],
        "best_by": evaluator.yardstick.name,
        "users": evaluator.split.n_users,
        "items": evaluator.split.n_items,
        "data": study.facts.plain(),
        "sizes": sizes_of(study.learning.recommender).plain(),
        **sums_of(study),
    }


@dataclass
class _Run:
    """A run and its directory; ``battery_before_uj`` is by phone."""

    whole: Whole
    study: Experiment
    recorder: Recorder
    ledger: Ledger
    directory: RunDirectory
    attached: Attached
    battery_before_uj: IntArray

    @classmethod
    def of(
        cls,
        study: Experiment,
        directory: RunDirectory,
        attached: Attached,
        progress: Progress,
        outside: tuple[Cluster | None, Sequence[Tracker]],
    ) -> "_Run":
        """Return the run of *study* into *directory*, at its start."""
        engine, ledger, population = Engine(), directory.ledger(), study.population
        cluster, trackers = outside
        play = None if cluster is None else play_on(cluster)
        fleet = fleet_of(
            *(study.scenario, engine, population, attached, directory.path, ledger), play
        )
        overhead = study.scenario.population.overhead
        recorder = Recorder(engine, fleet, ledger, overhead=overhead)
        train = train_here if cluster is None else train_on(cluster)
        whole = Whole(study, recorder, directory.path, attached, progress, train, trackers)
        before_uj = population.state["battery_uj"].copy()
        return cls(whole, study, recorder, ledger, directory, attached, before_uj)

    def begin(self) -> None:
        """Begin, with what a recorded run says of its devices, if one is replayed."""
        self.attached.note_recorded(self.ledger)
        self.whole.begin()

    def restore(self, tree: Tree) -> None:
        """Go on from the checkpoint *tree*.

        Raises:
            LedgerError: it is not that of this run.
        """
        try:
            self.whole.restore(tree)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
            raise damaged(self.directory.path, error) from error

    def play(self, started_s: float) -> dict[str, Any]:
        """Play to the end, settle every phone's accounts, and return the summary."""
        whole, engine, curves = self.whole, self.whole.engine, self.whole.curves
        curves.begin(self.directory.path, self.directory.manifest())
        try:
            with heard_by(whole.checkpoints.hear):
                engine.run_quietly(whole.over, whole.checkpoints.write)
            whole.end()
            self._note_accounts(engine.now_us)
            self.ledger.close()
        except BaseException:
            curves.fail()
            raise
        finally:
            self.ledger.let_go()
        self.directory.finish(self.ledger.listed(), wall_s=round(time.monotonic() - started_s, 3))
        remove_checkpoint(self.directory.path)
        answer = summarise(self.directory)
        if curves.heard:
            curves.end(_last(answer), _kept(self.directory.path))
        return answer

    def _note_accounts(self, end_us: int) -> None:
        """Note every phone's accounts, complete to *end_us*."""
        population = self.study.population
        settle(population.world, end_us)
        self.recorder.event("map", -1, **shares_ppm(population.world.map, end_us))
        state, traits = population.state, population.traits
        measured = np.zeros(len(population), bool)
        measured[list(self.attached.phones)] = True
        task = self.study.task
        read = task.path is not None
        names = task.interactions.user_labels.tolist() if read else [""]
        columns = {
            "phone": np.arange(len(population)),
            "profile": classes_of(self.study),
            "region": Words(population.regions, traits["region"]),
            "radio": Words(population.radios, traits["radio"]),
            "measured": measured,
            "took_part": self.whole.took_part,
            "user": Words(list(map(str, names)), np.arange(len(population)) * read),
            "events": self.study.learning.data.counts,
            "capacity_uj": traits["capacity_uj"],
            "battery_before_uj": self.battery_before_uj + self.whole.churn.brought_uj,
            "battery_after_uj": state["battery_uj"],
        }
        same = set(state.dtype.names or ()) & {one.name for one in TABLES["devices"].columns}
        columns |= {name: state[name] for name in same - {"t_us"}}
        self.recorder.note("devices", t_us=end_us, **columns)


def _last(answer: dict[str, Any]) -> dict[str, float]:
    """Return every number of the summary *answer* by a name that says whose and what it is."""
    found = {}
    for one in records(answer):
        where = [one[name] for name in ("part", "ranking", "model") if one[name] is not None]
        whose = [] if one["users"] == "all" else [one["users"]]
        if isinstance(one["value"], int | float):  # some are words, or unknown
            found["/".join([*where, one["figure"], *whose])] = float(one["value"])
    return found


def _kept(folder: Path) -> list[tuple[Path, str]]:
    """Return what is worth keeping beside the curves of the run in *folder*, and its names there.

    That is its manifest, and the models that it has shipped.
    """
    models = [path for name in ("manifest.json", "*.tflite") for path in folder.rglob(name)]
    return [(path, str(path.relative_to(folder))) for path in (folder / MANIFEST, *sorted(models))]
