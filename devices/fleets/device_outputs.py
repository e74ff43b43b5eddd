"""What a run keeps of its real devices: outputs, what they took, and what went wrong with them.

Outputs are files of their own (``uploads/JOB.npz``): with them and the ledger the run can be
replayed without a device.
"""

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from tokenize import TokenError
from types import MappingProxyType
from typing import Any, final

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.errors import LedgerError, printable
from droidloop.platform.state import Tree

UPLOADS = "uploads"
LOG = "devices.log"
FAILED = "failed"
_UNREADABLE = (
    *(OSError, ValueError, KeyError, TypeError, EOFError, SyntaxError, NotImplementedError),
    *(MemoryError, RecursionError, TokenError, struct.error, zlib.error, zipfile.BadZipFile),
)
"""What numpy and zipfile say of files that nobody has written so."""


NOT_IMPOSED = "not-imposed"
PLUGGED = ("unplugged", "plugged-in")
"""The names of comings and goings of real devices."""


@final
class Evidence:
    """Writes into the run directory *folder*.

    *measured* takes a row of the table ``measures``; *event* takes time, phone, kind and name of
    what happened to a device: ``not-imposed``, or ``churn`` where it was unplugged or plugged in.
    """

    def __init__(
        self,
        folder: Path,
        measured: Callable[[dict[str, Any]], None],
        event: Callable[[int, int, str, str], None] = lambda *_: None,
    ) -> None:
        self._folder = folder
        self.measured = measured
        self._event = event
        self._noted: set[tuple[int, str]] = set()
        self._unplugged: set[int] = set()
        self._last = -1  # the highest number of a job of which there are files

    def not_imposed(self, t_us: int, phone: int, what: str, reason: str) -> None:
        """Note, once a *reason*, that *what* (``rate``, ``battery``) is modelled only."""
        if (phone, reason) not in self._noted:
            self._noted.add((phone, reason))
            self._event(t_us, phone, NOT_IMPOSED, what)
            self._write(f"phone {phone}: its {what} is not imposed: {reason}")

    def seen(self, t_us: int, phone: int, *, there: bool) -> None:
        """Note a departure without a word if the device is not *there*, its coming if it is again.

        Unplugging is noticed with the first job that does not find it.
        """
        if there == (phone in self._unplugged):
            self._unplugged ^= {phone}
            self._event(t_us, phone, "churn", PLUGGED[there])

    def keep(self, job: int, outputs: Mapping[str, Array]) -> None:
        """Write the outputs of *job*: beside their place first, then renamed.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        path = _path(self._folder, job)
        self._last = max(self._last, job)
        beside = path.with_suffix(".tmp")
        try:
            path.parent.mkdir(exist_ok=True)
            with beside.open("wb") as file:
                np.savez(file, allow_pickle=False, **dict(outputs))
            os.replace(beside, path)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be written ({error.strerror})") from error

    def failed(
        self, job: int, phone: int, message: str, logs: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Write down, for people, why *job* failed; the ledger has the outcome.

        What *logs* hold by their names goes to files of their own (``failed/JOB-NAME.log``).
        """
        self._last = max(self._last, job)
        for name, text in logs.items():
            if text:
                path = self._folder / FAILED / f"{job}-{name}.log"
                path.parent.mkdir(exist_ok=True)
                path.write_text(text)
        self._write(f"job {job} on phone {phone}: {message}")

    def _write(self, line: str) -> None:
        with (self._folder / LOG).open("a") as file:
            file.write(f"{printable(line)}\n")

    def state(self) -> Tree:
        """Return what was noted, and how far the files go."""
        log = self._folder / LOG
        return {
            "noted": [[phone, reason] for phone, reason in sorted(self._noted)],
            "unplugged": sorted(self._unplugged),
            "last": self._last,
            "log_bytes": log.stat().st_size if log.exists() else 0,
        }

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Know what *tree* says; of jobs that were done after it, and now are again, keep nothing.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        self._noted = {(phone, reason) for phone, reason in tree["noted"]}
        self._unplugged, self._last = set(tree["unplugged"]), tree["last"]
        log = self._folder / LOG
        try:
            for path in [*self._folder.glob(f"{UPLOADS}/*"), *self._folder.glob(f"{FAILED}/*")]:
                number = re.match(r"\d+", path.name)
                if path.suffix == ".tmp" or (number and int(number[0]) > self._last):
                    path.unlink()
            if log.exists():
                os.truncate(log, min(log.stat().st_size, tree["log_bytes"]))
        except OSError as error:
            raise LedgerError(f"{self._folder}: cannot be written ({error.strerror})") from error


def outputs_of(folder: Path, job: int) -> dict[str, Array]:
    """Return what ``Evidence.keep`` wrote of *job* in the run directory *folder*.

    Raises:
        LedgerError: it is not there, or damaged.
    """
    path = _path(folder, job)
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except _UNREADABLE as error:
        raise LedgerError(f"{path}: no outputs of a device ({error}); the run is not whole") from (
            error
        )


def _path(folder: Path, job: int) -> Path:
    return folder / UPLOADS / f"{job}.npz"
