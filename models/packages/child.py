"""Runs modules of this package as child processes whose streams are captured."""

import atexit
import json
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO

from droidloop.platform.errors import PackageError

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b")
_UNSAID = 120
"""How Python ends that cannot write to its standard error."""
_KEPT = {"HOME", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV"}


def run_child(module: str, *args: str, what: str, timeout_s: float) -> str:
    """Run ``python -m module args`` and return what it wrote to its standard output.

    The child hashes strings with seed 0 and sees little of the environment, so that what it makes
    and measures does not depend on that.

    Raises:
        PackageError: the child failed or took longer than *timeout_s*; *what* begins the message.
    """
    try:
        done = subprocess.run(
            _command(module, *args),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,  # Ctrl-C is for this process, which then ends the child
            env=_environment(),
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise _late(what, timeout_s) from error
    if done.returncode:
        stderr = done.stderr.decode(errors="replace")
        raise PackageError(f"{what}: {_reason(done.returncode, stderr)}")
    return done.stdout.decode(errors="replace")


@dataclass
class KeptChild:
    """A child that serves (see ``served``), which is started when there is a job and stays.

    What it imports takes longer than what it does. It ends by itself when nothing was asked for a
    while, and with this process.
    """

    module: str
    _process: "subprocess.Popen[str] | None" = None
    _said: IO[str] | None = None
    _one: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, job: str, *, what: str, timeout_s: float) -> None:
        """Have it do *job* as ``run_child`` would in a process of its own, with the same errors."""
        with self._one:
            try:
                status, said = self._ask(job, what, timeout_s)
                if status == 0:  # it had just ended, as nothing was asked for a while
                    status, said = self._ask(job, what, timeout_s)
            except KeyboardInterrupt:  # its answer would be taken for that of the next job
                self.end()
                raise
            if status is not None:
                raise PackageError(f"{what}: {_reason(status, said)}")

    def _ask(self, job: str, what: str, timeout_s: float) -> tuple[int | None, str]:
        """Return how it ended and what it said; None: it lives, and has done *job*."""
        process, said = self._process, self._said
        if process is None or said is None or process.poll() is not None:
            self.end()
            process, said = self._start()
        else:  # of a job before; one that has just started may have ended, and said why
            said.seek(0)  # the place where it writes, too
            said.truncate()
        assert process.stdin is not None
        assert process.stdout is not None
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps(job) + "\n")
            process.stdin.flush()
        ready, _, _ = select.select([process.stdout], [], [], timeout_s)
        if ready and process.stdout.readline():
            return None, ""
        if not ready:
            self.end()
            raise _late(what, timeout_s)
        status = process.wait()
        said.seek(0)
        words = said.read()
        self.end()
        return status, words

    def end(self) -> None:
        """End it, if there is one."""
        if self._process is not None:
            self._process.kill()
            with suppress(BrokenPipeError):  # of a job that it did not read
                self._process.communicate()
        if self._said is not None:
            self._said.close()
        self._process = self._said = None
        atexit.unregister(self.end)

    def _start(self) -> "tuple[subprocess.Popen[str], IO[str]]":
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115  see ``end``
        self._process = subprocess.Popen(
            _command(self.module),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            text=True,
            start_new_session=True,
            env=_environment(),
        )
        atexit.register(self.end)
        return self._process, self._said


def _command(module: str, *args: str) -> list[str]:
    return [sys.executable, "-P", "-m", module, *args]


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in sorted(_KEPT & os.environ.keys())}
    # torch makes a folder there when it is imported, and nobody would remove it
    there = {"TORCHINDUCTOR_CACHE_DIR": tempfile.gettempdir()}
    return kept | there | {"PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}


def _late(what: str, timeout_s: float) -> PackageError:
    return PackageError(f"{what}: no end after {timeout_s:g} s; is the model too large?")


def _reason(returncode: int, stderr: str) -> str:
    """Return one line: the signal, the exception, or the last thing that was said."""
    if returncode < 0:
        name = signal.Signals(-returncode).name
        return f"the child process was ended by {name}" + (
            ", perhaps for want of memory" if name == "SIGKILL" else ""
        )
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    raised = [line for line in lines if _EXCEPTION.match(line)]
    reason = (raised or lines or [f"exit code {returncode}, nothing said"])[-1]
    if returncode == _UNSAID and not lines:
        reason = f"it could not say why; is there room in {tempfile.gettempdir()} (TMPDIR)?"
    if reason.startswith("ModuleNotFoundError"):
        reason += "; install the extra 'export' (make install does)"
    return reason.removeprefix(f"{PackageError.__module__}.{PackageError.__name__}: ")
