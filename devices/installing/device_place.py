"""Versions on a device behind adb, in a folder that stays there between commands.

A file travels in pieces that are checked and kept, so that a link that was cut is gone on with and
not begun again. A piece that another version has at the same place is copied there and not sent: an
update of a model of which some layers were trained on costs what changed. The scripts are constant
and use what Android's toybox has had since version 8.
"""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import final

from droidloop.devices.fleets.model_job import Device, OnDevice
from droidloop.platform.errors import DeviceError

from .place import VERSIONS

ROOT = "/data/local/tmp/droidloop-installed"
"""Beside the folder of runners, which is removed after each command."""

PIECE_BYTES = 2**20
"""Sent at a time: at 3 Mbit/s under three seconds are lost when the link is cut."""

STEP_S = 60.0
_READ = '[ ! -f "$1" ] || cat "$1"'
_HELD = '[ -f "$1" ] && [ "$(sha256sum <"$1" | cut -d\' \' -f1)" = "$2" ]'
_COPY = (
    'to="$1"; want="$2"; for old in "$3"/*/"$4"; do [ "$old" != "$to" ] && '
    'dd if="$old" of="$to.part" bs="$5" skip="$6" count=1 2>/dev/null && '
    '[ "$(sha256sum <"$to.part" | cut -d\' \' -f1)" = "$want" ] && '
    'mv -f "$to.part" "$to" && exit 0; done; rm -f "$to.part"; exit 1'
)
_JOIN = (
    'to="$1"; want="$2"; shift 2; cat "$@" >"$to.part" && '
    '[ "$(sha256sum <"$to.part" | cut -d\' \' -f1)" = "$want" ] && '
    'mv -f "$to.part" "$to" && rm -f "$@"'
)
_KEEP = (
    'cd "$1" 2>/dev/null || exit 0; shift; for one in *; do kept=; '
    'for name; do [ "$one" != "$name" ] || kept=1; done; [ -n "$kept" ] || rm -rf -- "$one"; done'
)


@final
class DevicePlace:
    """The folder *root* on *device*; see ``Place``."""

    def __init__(self, device: Device, root: str = ROOT) -> None:
        self._device, self._root = device, root

    def read(self, name: str) -> bytes | None:
        """Return the small file *name*; see ``Place.read``."""
        text = self._run(_READ, f"{self._root}/{name}").encode()
        return text or None

    def write(self, name: str, data: bytes) -> None:
        """Push it; copies of a device take their name only when they are whole."""
        self._run('mkdir -p "$1"', self._root)
        self._push(data, f"{self._root}/{name}")

    def put(self, folder: str, files: Mapping[str, bytes]) -> int:
        """Send the pieces that are not there; see ``Place.put``."""
        return sum(self._put(folder, name, data) for name, data in files.items())

    def model(self, folder: str, name: str) -> Path | OnDevice:
        """Return its path there."""
        return OnDevice(f"{self._root}/{VERSIONS}/{folder}/{name}")

    def keep(self, folders: set[str]) -> None:
        """Remove the others; see ``Place.keep``."""
        self._run(_KEEP, f"{self._root}/{VERSIONS}", *sorted(folders))

    def _put(self, folder: str, name: str, data: bytes) -> int:
        path = f"{self._root}/{VERSIONS}/{folder}/{name}"
        if self._holds(path, data):
            return 0
        self._run('mkdir -p "$1"', path.rpartition("/")[0])
        if len(data) <= PIECE_BYTES:
            return self._put_piece(data, path, name, 0)
        sent, pieces = 0, []
        for k, start in enumerate(range(0, len(data), PIECE_BYTES)):
            piece = data[start : start + PIECE_BYTES]
            pieces.append(f"{path}.{k}.piece")
            if not self._holds(pieces[-1], piece):
                sent += self._put_piece(piece, pieces[-1], name, k)
        self._run(_JOIN, path, _sha256(data), *pieces)
        return sent

    def _put_piece(self, data: bytes, path: str, name: str, k: int) -> int:
        """Have *data*, the piece *k* of the file *name*, at *path*; return what was sent."""
        versions, size = f"{self._root}/{VERSIONS}", str(PIECE_BYTES)
        if self._yes(_COPY, path, _sha256(data), versions, name, size, str(k)):
            return 0
        self._push(data, path)
        return len(data)

    def _holds(self, path: str, data: bytes) -> bool:
        return self._yes(_HELD, path, _sha256(data))

    def _yes(self, script: str, *args: str) -> bool:
        argv = ["sh", "-c", script, "sh", *args]
        return self._device.shell(argv, timeout_s=STEP_S).exit_code == 0

    def _push(self, data: bytes, path: str) -> None:
        with tempfile.TemporaryDirectory(prefix="droidloop-send-") as folder:
            local = Path(folder) / "file"
            local.write_bytes(data)
            self._device.push(local, path)

    def _run(self, script: str, *args: str) -> str:
        answer = self._device.shell(["sh", "-c", script, "sh", *args], timeout_s=STEP_S)
        if answer.exit_code != 0:
            said = answer.last_words or f"status {answer.exit_code}"
            raise DeviceError(f"{self._device.serial}: {said}; free some room there, or try again")
        return answer.stdout


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
