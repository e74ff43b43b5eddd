"""What the system did not let a command do, in one line."""

import os
import resource
import sys

from droidloop.platform.durable import reason_of
from droidloop.platform.errors import DroidloopError, printable

CLOSED = 141
"""The exit code where standard output was closed before all was printed: 128 and SIGPIPE."""

LEAST_BYTES = 1_500_000_000
"""Of address space: the libraries take 1.2 GB of it before anything is computed. With less, some
of them end the process from within, where nobody can say why."""


LEAST_FILES = 32
"""That are open at once: a run needs 6, what draws a report's page ends the process with fewer."""


class LimitedError(DroidloopError):
    """The limits of this process are too low for the libraries."""


def require_room() -> None:
    """Raise LimitedError where this process may not take what the libraries need."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < LEAST_BYTES:
        raise LimitedError(
            f"memory is limited to {limit / 1e9:.1f} GB and {LEAST_BYTES / 1e9:.1f} are needed: "
            "raise `ulimit -v`"
        )
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < LEAST_FILES:
        raise LimitedError(
            f"open files are limited to {files} and {LEAST_FILES} are needed: raise `ulimit -n`"
        )


def unloaded(error: ImportError) -> str | None:
    """Return in a line why a library was not loaded, if that is for want of memory or files."""
    said = str(error)
    if any(words in said for words in ("map segment", "allocate memory", "Too many open files")):
        return f"{printable(said)}: give more memory (`ulimit -v`) or files (`ulimit -n`)"
    return None


def system_error(error: OSError | MemoryError) -> str:
    """Return the file, what happened and what helps, as far as *error* knows them."""
    if isinstance(error, MemoryError):
        return "there is not enough memory: take fewer phones or items, or a larger machine"
    where = f"{error.filename}: " if error.filename is not None else ""
    return f"{where}{reason_of(error)}"


def nobody_listens() -> None:
    """Have what is still to be printed go nowhere: flushing it at exit would fail once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
