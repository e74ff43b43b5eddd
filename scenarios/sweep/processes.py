"""Plays runs in processes of this machine, one thread each, as many at once as there are cores."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .plan import Planned

TRIES = 2
"""A run whose process was ended by a signal (for want of memory, say) is gone on with once."""
_WAIT_S = 0.05
_GRACE_S = 5.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

Ended = tuple[Planned, str | None]
"""A run and why it failed; None: it is complete."""


@dataclass
class _Child:
    """A process that plays *run*, and what it says."""

    run: Planned
    process: subprocess.Popen[str]
    said: IO[str]

    def reason(self) -> str | None:
        """Return why it failed in a line; None: it did not."""
        status = self.process.wait()
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().splitlines() if line.strip()]
        if status < 0:
            return f"its process was ended by {signal.Signals(-status).name}"
        return (lines or [f"exit status {status}, and nothing said"])[-1] if status else None

    def close(self) -> None:
        """Let go of its streams."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.said.close()


@dataclass
class _Children:
    """The processes that are under way."""

    folder: Path
    lock: int
    running: list[_Child] = field(default_factory=list)

    def start(self, run: Planned) -> None:
        said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  closed with the child
        process = subprocess.Popen(
            [sys.executable, "-m", "droidloop.scenarios.sweep.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=said,
            text=True,
            env=os.environ | dict.fromkeys(_THREADS, "1"),
            # the lock stays held as long as one of them lives, even where this process is killed
            pass_fds=(self.lock,),
            start_new_session=True,
        )
        self.running.append(_Child(run, process, said))
        job = {"folder": str(self.folder / run.folder), "scenario": run.scenario.resolved()}
        _tell(process, job)

    def ended(self) -> list[_Child]:
        """Wait for one or more to end, and return them."""
        while not (over := [one for one in self.running if one.process.poll() is not None]):
            time.sleep(_WAIT_S)
        self.running = [one for one in self.running if one not in over]
        return over

    def end(self) -> None:
        """End all."""
        for one in self.running:
            one.process.terminate()
        deadline_s = time.monotonic() + _GRACE_S
        for one in self.running:
            try:
                one.process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            one.close()
        self.running.clear()


def _tell(process: subprocess.Popen[str], job: dict[str, Any]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        return  # it ended at once, and its status says so


def play_here(runs: Sequence[Planned], folder: Path, lock: int, processes: int) -> Iterator[Ended]:
    """Play *runs* into *folder*, *processes* at once; yield each as it ends.

    All processes are ended when the caller stops asking. *lock* is a file that they keep open.
    """
    left = [(run, 1) for run in reversed(runs)]
    tries: dict[str, int] = {}
    with _ending(_Children(folder, lock)) as children:
        while left or children.running:
            while left and len(children.running) < processes:
                run, tries[run.folder] = left.pop()
                children.start(run)
            for child in children.ended():
                reason, run = child.reason(), child.run
                child.close()
                if child.process.returncode < 0 and tries[run.folder] < TRIES:
                    left.append((run, tries[run.folder] + 1))
                else:
                    yield run, reason


@contextmanager
def _ending(children: _Children) -> Iterator[_Children]:
    try:
        yield children
    finally:
        children.end()
