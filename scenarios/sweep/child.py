"""Runs of a sweep, one after the other, in a process that ends when its parent does.

The parent writes a line of JSON for each run to its standard input and keeps that open: when the
parent is gone, however it ended, the input ends, and so does this. A line on standard output is the
end of a run: null, or why it failed.
"""

import json
import os
import queue
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


def _read(jobs: queue.Queue[str]) -> None:
    """Pass on each line of the parent's; end with the parent, whatever is under way."""
    for line in sys.stdin:
        jobs.put(line)
    os._exit(1)


def main() -> None:
    """Play what the lines of standard input say."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whoever prints is no answer
    jobs: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read, args=(jobs,), daemon=True).start()
    use_threads(1)
    while True:
        job, reason = json.loads(jobs.get()), None
        try:
            play(Path(job["folder"]), job["scenario"])
        except DroidloopError as error:
            reason = str(error)
        print(json.dumps(reason), file=answers, flush=True)


if __name__ == "__main__":
    main()
