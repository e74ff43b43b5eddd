"""What a run keeps of its real devices: their outputs, what they took, and why they failed.

Outputs are files of their own (``uploads/JOB.npz``): with them and the ledger the run can be
replayed without a device.
"""

import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.errors import LedgerError

UPLOADS = "uploads"
LOG = "devices.log"


@final
class Evidence:
    """Writes into the run directory *folder*; *measured* takes a row of the table ``measures``."""

    def __init__(self, folder: Path, measured: Callable[[dict[str, Any]], None]) -> None:
        self._folder = folder
        self.measured = measured

    def keep(self, job: int, outputs: Mapping[str, Array]) -> None:
        """Write the outputs of *job*: beside their place first, then renamed.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        path = _path(self._folder, job)
        beside = path.with_suffix(".tmp")
        try:
            path.parent.mkdir(exist_ok=True)
            with beside.open("wb") as file:
                np.savez(file, allow_pickle=False, **dict(outputs))
            os.replace(beside, path)
        except OSError as error:
            raise LedgerError(f"{path}: cannot be written ({error.strerror})") from error

    def failed(self, job: int, phone: int, message: str) -> None:
        """Write down, for people, why *job* failed; the ledger has the outcome."""
        with (self._folder / LOG).open("a") as file:
            file.write(f"job {job} on phone {phone}: {message}\n")


def outputs_of(folder: Path, job: int) -> dict[str, Array]:
    """Return what ``Evidence.keep`` wrote of *job* in the run directory *folder*.

    Raises:
        LedgerError: it is not there, or damaged.
    """
    path = _path(folder, job)
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise LedgerError(f"{path}: no outputs of a device ({error}); the run is not whole") from (
            error
        )


def _path(folder: Path, job: int) -> Path:
    return folder / UPLOADS / f"{job}.npz"
