"""Plays runs in processes of this machine, one thread each, as many at once as there are cores.

A process plays many runs, and imports once.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from .plan import Planned

TRIES = 2
"""A run whose process was ended by a signal (for want of memory, say) is gone on with once."""
_GRACE_S = 5.0
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

Ended = tuple[Planned, str | None]
"""A run and why it failed; None: it is complete."""


@dataclass
class _Child:
    """A process that plays one run after the other: *run*, or none; and what it says."""

    process: subprocess.Popen[str]
    said: IO[str]
    run: Planned | None = None

    def play(self, run: Planned, folder: Path, track: Sequence[str]) -> None:
        """Have it play *run* into its directory in *folder*, and trackers hear of it."""
        job = {
            "folder": str(folder / run.folder),
            "scenario": run.scenario.resolved(),
            "track": list(track),
        }
        self.run = run
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(json.dumps(job) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return  # it ended at once, and its status says so

    def fileno(self) -> int:
        """Return what is readable when its run has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def answer(self) -> tuple[str | None, bool]:
        """Wait for the end of its run; return why that failed, and whether by a signal."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.run = None
        if line:
            return json.loads(line), False
        status = self.process.wait()
        if status < 0:
            return f"its process was ended by {signal.Signals(-status).name}", True
        self.said.seek(0)
        lines = [line.strip() for line in self.said.read().splitlines() if line.strip()]
        return (lines or [f"exit status {status}, and nothing said"])[-1], False

    def close(self) -> None:
        """Let go of its streams."""
        for stream in (self.process.stdin, self.process.stdout, self.said):
            if stream is not None:
                stream.close()


@dataclass
class _Children:
    """The processes that are there; each keeps what it has imported for its next run."""

    folder: Path
    lock: int
    track: Sequence[str] = ()
    all: list[_Child] = field(default_factory=list)

    @property
    def at_work(self) -> list[_Child]:
        """Those that play a run."""
        return [one for one in self.all if one.run is not None]

    def play(self, run: Planned) -> None:
        """Have one that is free play *run*, or a new one."""
        free = next((one for one in self.all if one.run is None), None)
        (free or self._start()).play(run, self.folder, self.track)

    def _start(self) -> _Child:
        said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  closed with the child
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "droidloop.scenarios.sweep.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            text=True,
            env=os.environ | dict.fromkeys(_THREADS, "1"),
            # the lock stays held as long as one of them lives, even where this process is killed
            pass_fds=(self.lock,),
            start_new_session=True,
        )
        self.all.append(_Child(process, said))
        return self.all[-1]

    def ended(self) -> Iterator[tuple[Planned, str | None, bool]]:
        """Wait for one or more runs to end; yield each, why it failed, and if by a signal."""
        ready, _, _ = select.select(self.at_work, [], [])
        for child in ready:
            run = child.run
            assert run is not None
            reason, by_signal = child.answer()
            if child.process.poll() is not None:
                child.close()
                self.all.remove(child)
            yield run, reason, by_signal

    def end(self) -> None:
        """End all."""
        for one in self.all:
            one.process.terminate()
        deadline_s = time.monotonic() + _GRACE_S
        for one in self.all:
            try:
                one.process.wait(max(0.0, deadline_s - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()
            one.close()
        self.all.clear()


def play_here(
    runs: Sequence[Planned], folder: Path, lock: int, processes: int, track: Sequence[str] = ()
) -> Iterator[Ended]:
    """Play *runs* into *folder*, *processes* at once; yield each as it ends.

    Trackers named in *track* hear of them. All processes are ended when the caller stops asking.
    *lock* is a file that they keep open.
    """
    left = [(run, 1) for run in reversed(runs)]
    tries: dict[str, int] = {}
    with _ending(_Children(folder, lock, track)) as children:
        while left or children.at_work:
            while left and len(children.at_work) < processes:
                run, tries[run.folder] = left.pop()
                children.play(run)
            for run, reason, by_signal in children.ended():
                if by_signal and tries[run.folder] < TRIES:
                    left.append((run, tries[run.folder] + 1))
                else:
                    yield run, reason


@contextmanager
def _ending(children: _Children) -> Iterator[_Children]:
    try:
        yield children
    finally:
        children.end()
