"""Runs a scenario from Python, with the real devices and the machines that it is given."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .devices import Devices, attachments, attachments_again
from .result import Result
from .scenario import Scenario, load

if TYPE_CHECKING:  # imported only where they are needed
    from droidloop.platform.cluster import Cluster

Progress = Callable[[str, int, int], None]
"""Told the stage of a run, and how many of how many of its steps are over."""


def run(
    scenario: Scenario | str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    replay: str | Path | None = None,
    devices: Devices | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    track: Sequence[str] = (),
) -> Result:
    """Run *scenario* and return its result.

    Args:
        scenario: a scenario, or what ``load`` takes.
        out: the new directory of the run; ``runs/NAME-SEED`` if not given.
        seed: in the place of the scenario's own.
        replay: the directory of a run that answers every job.
        devices: real ones that take part beside those that the scenario names.
        workers: threads for phones and training; one a processor if not given.
        ray: ``HOST:PORT`` of a Ray cluster that plays and trains cohorts.
        progress: called as the run goes on.
        track: names of trackers that the curves go to while the run goes on, such as ``mlflow``.

    Raises:
        UsageError: *out* exists, or the scenario, its data or the devices cannot be used.
        DroidloopError: the run could not go on.
    """
    from droidloop.platform.workers import use_threads
    from droidloop.scenarios.run.run import execute
    from droidloop.scenarios.runtime.curves import trackers_of

    use_threads(workers)
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    chosen = chosen if seed is None else chosen.with_(seed=seed)
    folder = Path(out) if out is not None else Path("runs") / f"{chosen.name}-{chosen.seed}"
    again = None if replay is None else Path(replay)
    told = trackers_of(track)
    real = attachments(chosen, devices or Devices(), again)
    with real as attached, _cluster(ray) as cluster:
        answer = execute(
            chosen.checked,
            folder,
            replay=again,
            progress=progress or (lambda stage, done, total: None),
            devices=attached,
            cluster=cluster,
            trackers=told,
        )
    return Result(folder, answer)


def resume(
    directory: str | Path,
    *,
    devices: Devices | None = None,
    workers: int | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    track: Sequence[str] = (),
) -> Result:
    """Go on with the killed run in *directory* from its last checkpoint; return its result.

    Its ledger becomes what it would have been, byte for byte. See ``run`` for the arguments.
    Real devices that took part are attached again: *devices* say through which server and with
    which bundles; what they had done by the checkpoint stays, the rest they do anew.

    Raises:
        UsageError: there is no run, it is complete, or it cannot be resumed here.
        DroidloopError: the run could not go on.
    """
    from droidloop.platform.workers import use_threads
    from droidloop.scenarios.run.run import resume as resume_run
    from droidloop.scenarios.runtime.curves import trackers_of

    use_threads(workers)
    told = trackers_of(track)
    shown = progress or (lambda stage, done, total: None)
    real = attachments_again(Path(directory), devices or Devices())
    with real as attached, _cluster(ray) as cluster:
        answer = resume_run(
            Path(directory),
            progress=shown,
            devices=attached,
            cluster=cluster,
            trackers=told,
        )
    return Result(Path(directory), answer)


def _cluster(address: str | None) -> AbstractContextManager["Cluster | None"]:
    """Return the cluster at *address*, left at the end; None where there is no address."""
    if address is None:
        return nullcontext(None)
    from droidloop.platform.cluster import Cluster

    return closing(Cluster(address))
