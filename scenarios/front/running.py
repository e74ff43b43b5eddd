"""Runs a scenario from Python, with the real devices and the machines that it is given."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from droidloop.platform.errors import UsageError

from .result import Result
from .scenario import Scenario, load

if TYPE_CHECKING:  # imported only where they are needed
    from droidloop.devices.android.fleet.fleet import Attachment
    from droidloop.platform.cluster import Cluster

Progress = Callable[[str, int, int], None]
"""Told the stage of a run, and how many of how many of its steps are over."""


def run(
    scenario: Scenario | str | Path | Mapping[str, Any],
    out: str | Path | None = None,
    *,
    seed: int | None = None,
    replay: str | Path | None = None,
    attach: Sequence[str] = (),
    workers: int | None = None,
    ray: str | None = None,
    progress: Progress | None = None,
    notice: Callable[[str], None] | None = None,
) -> Result:
    """Run *scenario* and return its result.

    Args:
        scenario: a scenario, or what ``load`` takes.
        out: the new directory of the run; ``runs/NAME-SEED`` if not given.
        seed: in the place of the scenario's own.
        replay: the directory of a run that answers every job.
        attach: serial numbers of devices that take part, or ``["all"]``.
        workers: threads for phones and training; one a processor if not given.
        ray: ``HOST:PORT`` of a Ray cluster that plays and trains cohorts.
        progress: called as the run goes on.
        notice: told in a line what becomes of devices.

    Raises:
        UsageError: *out* exists, or the scenario, its data or the devices cannot be used.
        DroidloopError: the run could not go on.
    """
    from droidloop.platform.workers import use_threads
    from droidloop.scenarios.run.run import execute

    use_threads(workers)
    chosen = scenario if isinstance(scenario, Scenario) else load(scenario)
    chosen = chosen if seed is None else chosen.with_(seed=seed)
    folder = Path(out) if out is not None else Path("runs") / f"{chosen.name}-{chosen.seed}"
    again = None if replay is None else Path(replay)
    with _devices(chosen, attach, again, notice) as devices, _cluster(ray) as cluster:
        answer = execute(
            chosen.checked,
            folder,
            replay=again,
            progress=progress or (lambda stage, done, total: None),
            devices=devices,
            cluster=cluster,
        )
    return Result(folder, answer)


def _cluster(address: str | None) -> AbstractContextManager["Cluster | None"]:
    """Return the cluster at *address*, left at the end; None where there is no address."""
    if address is None:
        return nullcontext(None)
    from droidloop.platform.cluster import Cluster

    return closing(Cluster(address))


def _devices(
    scenario: Scenario,
    attach: Sequence[str],
    replay: Path | None,
    notice: Callable[[str], None] | None,
) -> AbstractContextManager[list["Attachment"]]:
    """Return the real devices of a run; a replay needs none of those that its scenario names."""
    if replay is not None and attach:
        raise UsageError(f"--replay {replay}: needs no devices; leave --attach out")
    section = scenario.checked.devices
    named = [] if replay is not None else section.android
    if not named and not attach:
        return nullcontext([])
    from droidloop.devices.android.fleet.attaching import Seat, attached

    given = {one.serial for one in named}
    seats = [Seat(one.serial, one.phone) for one in named]
    seats += [Seat(serial) for serial in attach if serial not in given]
    return attached(seats, notice or (lambda line: None), impose=section.impose)
