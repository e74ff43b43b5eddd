"""The door through which a run writes files: each is whole, or as it was before."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import LedgerError

REMEDIES = {
    errno.ENOSPC: "make room on that disk",
    errno.EDQUOT: "make room within the quota",
    errno.EROFS: "it is read-only",
    errno.EACCES: "give yourself leave to write there",
    errno.EPERM: "give yourself leave to write there",
    errno.EMFILE: "raise `ulimit -n`",
    errno.ENFILE: "close other programs",
    errno.ENOMEM: "close other programs",
}
"""What helps against an error of the system, where it is one of these."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside *path* to write to, which then takes the place of *path* in one step.

    Whatever goes wrong within, *path* is as it was, and nothing lies beside it.

    Raises:
        LedgerError: it cannot be written.
    """
    beside = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield beside
        os.replace(beside, path)
    except OSError as error:
        _remove(beside)
        raise LedgerError(f"{path}: cannot be written ({reason_of(error)})") from error
    except BaseException:
        _remove(beside)
        raise


def reason_of(error: BaseException) -> str:
    """Return in a line what went wrong, and what helps if that is known."""
    said = error.strerror if isinstance(error, OSError) else None
    reason = ((said or str(error)).splitlines() or [type(error).__name__])[0]
    remedy = REMEDIES.get(getattr(error, "errno", None) or 0)
    return reason if remedy is None else f"{reason}: {remedy}"


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)
