"""Runs of a sweep, one after the other, in a process that ends when its parent does.

A job is a folder, a resolved scenario and names of trackers; the answer is null, or why the run
failed.
"""

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from droidloop.platform.checkpoint import read_checkpoint
from droidloop.platform.errors import DroidloopError
from droidloop.platform.rundir import MANIFEST, RunDirectory
from droidloop.platform.served import serve
from droidloop.platform.stopping import StoppedError, interruptible
from droidloop.platform.workers import use_threads


def play(folder: Path, scenario: dict[str, Any], track: Sequence[str] = ()) -> None:
    """Run the resolved *scenario* into *folder*, or go on with what a killed process left there.

    The trackers named in *track* hear of it.

    Raises:
        DroidloopError: the run could not go on.
    """
    from droidloop.scenarios.run.run import execute, resume
    from droidloop.scenarios.runtime.curves import trackers_of
    from droidloop.scenarios.schema.schema import Scenario

    trackers = trackers_of(track)
    if _can_go_on(folder):
        resume(folder, progress=_silent, trackers=trackers)
        return
    if folder.exists():  # cut short, and nothing in it can be used
        shutil.rmtree(folder)
    execute(Scenario.of(scenario), folder, replay=None, progress=_silent, trackers=trackers)


def _can_go_on(folder: Path) -> bool:
    if not (folder / MANIFEST).exists():
        return False
    try:
        RunDirectory.open(folder).require_resumable()
        read_checkpoint(folder)
    except DroidloopError:  # begun by another version, or cut short while it was written
        return False
    return True


def _silent(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def play_one(job: dict[str, Any]) -> str | None:
    """Play the run of *job*; return why it failed."""
    try:
        play(Path(job["folder"]), job["scenario"], job["track"])
    except DroidloopError as error:
        return str(error)
    return None


if __name__ == "__main__":
    use_threads(1)
    try:
        with interruptible():
            serve(play_one)
    except StoppedError as stopped:  # folders are removed: now end as the signal would have it
        signal.signal(stopped.by, signal.SIG_DFL)
        os.kill(os.getpid(), stopped.by)
