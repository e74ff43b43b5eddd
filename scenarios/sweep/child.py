"""One run of a sweep, in a process of its own that ends when its parent does.

The parent writes one line of JSON to its standard input and keeps that open: when the parent is
gone, however it ended, the input ends, and so does this.
"""

import json
import os
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from droidloop.platform.checkpoint import read_checkpoint
from droidloop.platform.errors import DroidloopError
from droidloop.platform.rundir import MANIFEST, RunDirectory
from droidloop.platform.workers import use_threads


def play(folder: Path, scenario: dict[str, Any]) -> None:
    """Run the resolved *scenario* into *folder*, or go on with what a killed process left there.

    Raises:
        DroidloopError: the run could not go on.
    """
    from droidloop.scenarios.run.run import execute, resume
    from droidloop.scenarios.schema.schema import Scenario

    if _can_go_on(folder):
        resume(folder, progress=_silent)
        return
    if folder.exists():  # cut short, and nothing in it can be used
        shutil.rmtree(folder)
    execute(Scenario.of(scenario), folder, replay=None, progress=_silent)


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


def _end_with_the_parent() -> None:
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)


def main() -> int:
    """Run what the first line of standard input says; return the exit status."""
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    use_threads(1)
    try:
        play(Path(job["folder"]), job["scenario"])
    except DroidloopError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
