"""What has to be taken back on which device, written down before anything is changed."""

import fcntl
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self, final

from droidloop.devices.android.adb.state import state_folder
from droidloop.devices.android.errors import ConditionError, RestoreError

from .undo import Undo, from_json, to_json

_FORMAT = 1


@final
class Journal:
    """The journal of one device, held by one process at a time; use it in a ``with`` block.

    A lock that the system takes away from a dead process tells a crashed run from one that is
    still going on.

    Raises:
        ConditionError: another process holds it.
    """

    def __init__(self, serial: str) -> None:
        name = hashlib.sha256(serial.encode(errors="surrogatepass")).hexdigest()[:24]
        folder = state_folder("restore")
        self.serial = serial
        self.path = folder / f"{name}.json"
        self._lock = (folder / f"{name}.lock").open("ab")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            what = "another run of droidloop has imposed conditions on it"
            raise ConditionError(serial, what, "wait for its end") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.close()

    def read(self) -> tuple[Undo, ...]:
        """Return what has to be done, first things first; nothing if the device is clean.

        Raises:
            RestoreError: the file is damaged.
        """
        return _read(self.path)[1] if self.path.exists() else ()

    def write(self, undos: Sequence[Undo]) -> None:
        """Replace the content; with nothing to do the file goes away. It is on disk on return."""
        if not undos:
            self.path.unlink(missing_ok=True)
            return
        text = json.dumps(
            {"format": _FORMAT, "serial": self.serial, "undo": [to_json(undo) for undo in undos]}
        )
        beside = self.path.with_suffix(".part")
        with beside.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self.path)


def pending_serials() -> tuple[str, ...]:
    """Return the devices on which something has to be taken back, by any run, in order.

    Raises:
        RestoreError: a journal is damaged.
    """
    return tuple(sorted(_read(path)[0] for path in state_folder("restore").glob("*.json")))


def _read(path: Path) -> tuple[str, tuple[Undo, ...]]:
    try:
        value = json.loads(path.read_text())
        if value["format"] != _FORMAT:
            raise ValueError(f"format {value['format']}")
        return str(value["serial"]), tuple(from_json(undo) for undo in value["undo"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        what = f"the journal of a changed device is damaged: {error}"
        raise RestoreError(str(path), what, "reset the device by hand and delete it") from error
