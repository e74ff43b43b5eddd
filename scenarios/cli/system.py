"""What the system did not let a command do, in one line."""

import os
import sys

from droidloop.platform.durable import reason_of

CLOSED = 141
"""The exit code where standard output was closed before all was printed: 128 and SIGPIPE."""


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
