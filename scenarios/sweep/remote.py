"""Plays runs on the machines of a Ray cluster; what a run leaves comes back as files."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from droidloop.platform.cluster import Cluster
from droidloop.platform.errors import DroidloopError
from droidloop.platform.workers import use_threads

from .plan import Planned

Files = dict[str, bytes]
"""The files of a run by their path in its directory."""


def play_there(
    runs: Sequence[Planned], folder: Path, cluster: Cluster
) -> Iterator[tuple[Planned, str | None]]:
    """Play *runs* on *cluster* into *folder*; yield each as it ends, and why it failed.

    A run whose machine is lost is played again on another. It is here whole, or not at all.
    """
    parts = [(run.scenario.resolved(),) for run in runs]
    for number, (files, reason) in cluster.each(played, None, parts):
        run = runs[number]
        if reason is None:
            _write(files, folder / run.folder)
        yield run, reason


def played(_: None, scenario: dict[str, Any]) -> tuple[Files, str | None]:
    """Return the files of the run of the resolved *scenario*, or why it failed."""
    from droidloop.scenarios.run.run import execute
    from droidloop.scenarios.schema.schema import Scenario

    use_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "run"
        try:
            execute(Scenario.of(scenario), folder, replay=None, progress=_silent)
        except DroidloopError as error:
            return {}, str(error)
        paths = [path for path in folder.rglob("*") if path.is_file()]
        return {str(path.relative_to(folder)): path.read_bytes() for path in paths}, None


def _silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def _write(files: Files, folder: Path) -> None:
    """Write *files* beside *folder* and rename; what a killed run left there is replaced."""
    beside = folder.with_name(folder.name + ".tmp")
    for place in (beside, folder):
        if place.exists():
            shutil.rmtree(place)
    for name, content in files.items():
        path = beside / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.replace(beside, folder)
