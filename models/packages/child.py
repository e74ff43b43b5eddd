"""Runs a module of this package as a child process whose streams are captured."""

import os
import re
import signal
import subprocess
import sys

from droidloop.platform.errors import PackageError

_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(Error|Exception|Exit|Interrupt)\b")
_KEPT = {"HOME", "LD_LIBRARY_PATH", "PATH", "PYTHONPATH", "TMPDIR", "VIRTUAL_ENV"}


def run_child(module: str, *args: str, what: str, timeout_s: float) -> str:
    """Run ``python -m module args`` and return what it wrote to its standard output.

    The child hashes strings with seed 0 and sees little of the environment, so that what it makes
    and measures does not depend on that.

    Raises:
        PackageError: the child failed or took longer than *timeout_s*; *what* begins the message.
    """
    environment = {name: os.environ[name] for name in sorted(_KEPT & os.environ.keys())}
    environment |= {"PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "3"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", module, *args],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired as error:
        raise PackageError(
            f"{what}: no end after {timeout_s:g} s; is the model too large?"
        ) from error
    if done.returncode:
        stderr = done.stderr.decode(errors="replace")
        raise PackageError(f"{what}: {_reason(done.returncode, stderr)}")
    return done.stdout.decode(errors="replace")


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
    if reason.startswith("ModuleNotFoundError"):
        reason += "; install the extra 'export' (make install does)"
    return reason.removeprefix(f"{PackageError.__module__}.{PackageError.__name__}: ")
