"""A folder that one process at a time works in: a lock that ends with whoever holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import UsageError

LOCK = "run.lock"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the lock of *folder*, which is made if absent, during the block.

    The file that a process leaves which was killed holds nobody back: what is locked is the open
    file, and the system lets go of it.

    Raises:
        UsageError: another process holds it, or the folder cannot be used.
    """
    descriptor = _locked(folder)
    try:
        yield
    finally:
        with suppress(OSError):  # a folder that cannot be written any more keeps an empty file
            (folder / LOCK).unlink(missing_ok=True)
        os.close(descriptor)


def _locked(folder: Path) -> int:
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:  # removed in between by whoever was refused: made again
            continue
        except OSError as error:
            reason = error.strerror or error
            raise UsageError(
                f"{folder}: {reason}; make it writable, or choose another --out"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise UsageError(
                f"{folder}: another process is at this run; wait for its end, or choose another "
                "--out"
            ) from error
        except OSError as error:
            os.close(descriptor)
            reason = error.strerror or error
            raise UsageError(
                f"{path}: cannot be locked ({reason}); choose a --out on another file system"
            ) from error
        if _is_there(path, descriptor):
            return descriptor
        os.close(descriptor)  # its holder has just removed it: who locks it locks nothing


def _is_there(path: Path, descriptor: int) -> bool:
    """Return whether the file of *descriptor* is still the one at *path*."""
    try:
        there = path.stat()
    except OSError:
        return False
    mine = os.fstat(descriptor)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)
