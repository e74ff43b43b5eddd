"""Does a thing in a process of its own, and says how it ended: well, refused, or badly."""

import contextlib
import faulthandler
import io
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from droidloop.platform.errors import DroidloopError

GIB = 1 << 30
LONGEST_LINE = 2000
"""Of an error: a line that names all choices is as long as there are choices."""


class End(NamedTuple):
    """How it ended: ``ok``, ``refused``, or what is wrong with it, and what was said."""

    how: str
    said: str
    took_s: float


def bad(end: End) -> bool:
    """Return whether something is to be mended."""
    return end.how not in ("ok", "refused")


def judged(do: Callable[[], object]) -> End:
    """Return how *do* ended, here; a refusal is one line without controls."""
    begin = time.monotonic()
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            do()
    except DroidloopError as error:
        said = str(error)
        how = "refused" if said.isprintable() and len(said) < LONGEST_LINE else "not one line"
        return End(how, said, time.monotonic() - begin)
    except MemoryError:
        return End("memory", traceback.format_exc(), time.monotonic() - begin)
    except Exception:
        return End("traceback", traceback.format_exc(), time.monotonic() - begin)
    return End("ok", "", time.monotonic() - begin)


def _end_after(limit_s: int, where: Path) -> None:
    """Have this process end after *limit_s* of processor time; it writes first what it does.

    A machine that is busy has ten times as long before it is taken to sleep.
    """
    file = where.open("w")
    faulthandler.register(signal.SIGPROF, file, chain=False)
    signal.setitimer(signal.ITIMER_PROF, 0.9 * limit_s)
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 2))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.alarm(10 * limit_s)


def apart(do: Callable[[Path], object], *, limit_s: int, more_bytes: int = GIB) -> End:
    """Return how *do*, given a folder, ended in a child within *limit_s* and *more_bytes* more."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        answer = Path(folder) / "answer"
        child = os.fork()
        if child == 0:
            try:
                _end_after(limit_s, answer.with_name("where"))
                used = int(Path("/proc/self/statm").read_text().split()[0]) * 4096
                resource.setrlimit(resource.RLIMIT_AS, (used + more_bytes, used + more_bytes))
                end = judged(lambda: do(Path(folder) / "work"))
                answer.write_text(f"{end.how}\n{end.said}")
            finally:
                sys.stderr.flush()
                os._exit(0)
        _, status = os.waitpid(child, 0)
        took = time.monotonic() - begin
        if os.WIFSIGNALED(status):
            ended = signal.Signals(os.WTERMSIG(status))
            if ended in (signal.SIGXCPU, signal.SIGALRM):
                return End("hang", answer.with_name("where").read_text(), took)
            return End("killed", ended.name, took)
        if not answer.exists():
            return End("killed", "it said nothing", took)
        how, _, said = answer.read_text().partition("\n")
        return End(how, said, took)
