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
from droidloop.platform.arrays import IntArray
from droidloop.platform.checkpoint import read_checkpoint, remove_checkpoint
from droidloop.platform.cluster import Cluster
from droidloop.platform.engine import Engine
from droidloop.platform.ledger import DEVICE_DTYPE, Ledger, Rows
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.summary import summarise
from droidloop.scenarios.runtime.fleets import Attached, fleet_of, take_seats
from droidloop.scenarios.runtime.recorder import Recorder
from droidloop.scenarios.runtime.remote_training import train_here, train_on
from droidloop.scenarios.schema.fit import require_devices_fit
from droidloop.scenarios.schema.schema import Scenario

from .coverage import shares_ppm
from .experiment import Experiment, prepare
from .whole import Progress, Whole


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
    directory = RunDirectory.create(out, seed=scenario.seed, scenario=scenario.resolved())
    attached.note(directory)
    run = _Run.of(study, directory, attached, progress, cluster)
    run.whole.begin()
    return run.play(started)


def resume(out: Path, *, progress: Progress, cluster: Cluster | None = None) -> dict[str, Any]:
    """Go on with the run in *out* from its last checkpoint; return its summary.

    Its ledger becomes the same, byte for byte, as if it had not been killed. Without a checkpoint
    it begins again.

    Raises:
        UsageError: the run is complete, or cannot be resumed here.
        LedgerError: there is no run, or its checkpoint is damaged.
    """
    started = time.monotonic()
    directory = RunDirectory.open(out)
    directory.require_resumable()
    scenario = Scenario.of(directory.manifest()["scenario"])
    tree = read_checkpoint(out)
    study = prepare(scenario)
    run = _Run.of(study, directory, Attached({}), progress, cluster)
    if tree is None:
        run.ledger.begin_again()
        run.whole.begin()
    else:
        run.whole.restore(tree)
    return run.play(started)


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
        cluster: Cluster | None,
    ) -> "_Run":
        """Return the run of *study* into *directory*, at its start."""
        engine, ledger, population = Engine(), directory.ledger(), study.population
        play = None if cluster is None else play_on(cluster)
        fleet = fleet_of(
            *(study.scenario, engine, population, attached, directory.path, ledger), play
        )
        recorder = Recorder(engine, fleet, ledger)
        train = train_here if cluster is None else train_on(cluster)
        whole = Whole(study, recorder, directory.path, attached, progress, train)
        before_uj = population.state["battery_uj"].copy()
        return cls(whole, study, recorder, ledger, directory, attached, before_uj)

    def play(self, started_s: float) -> dict[str, Any]:
        """Play to the end, settle every phone's accounts, and return the summary."""
        whole, engine = self.whole, self.whole.engine
        engine.run_quietly(whole.over, whole.checkpoints.write)
        whole.end()
        self.recorder.write("devices", self._accounts(engine.now_us))
        self.ledger.close()
        self.directory.finish(wall_s=round(time.monotonic() - started_s, 3))
        remove_checkpoint(self.directory.path)
        return summarise(self.directory)

    def _accounts(self, end_us: int) -> Rows:
        """Return every phone's accounts, complete to *end_us*."""
        population = self.study.population
        settle(population.world, end_us)
        self.recorder.event("map", -1, **shares_ppm(population.world.map, end_us))
        state, traits = population.state, population.traits
        rows = np.zeros(len(population), DEVICE_DTYPE)
        rows["t_us"], rows["phone"] = end_us, np.arange(len(population))
        rows["profile"] = np.array(population.profiles, "S24")[traits["profile"]]
        rows["region"] = np.array(population.regions, "S16")[traits["region"]]
        rows["radio"] = np.array(population.radios, "S8")[traits["radio"]]
        rows["measured"][list(self.attached.phones)] = True
        rows["capacity_uj"] = traits["capacity_uj"]
        rows["battery_before_uj"] = self.battery_before_uj
        rows["battery_after_uj"] = state["battery_uj"]
        for name in DEVICE_DTYPE.names or ():
            if name in (state.dtype.names or ()) and name != "t_us":
                rows[name] = state[name]
        return rows
