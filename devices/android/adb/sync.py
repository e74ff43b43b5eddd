"""adb's file protocol: look at a file and read it, with limits and the device's own reasons."""

import stat
import struct
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from droidloop.devices.android.errors import (
    DeviceTimeoutError,
    OutputTooLongError,
    ServerError,
    TransferError,
)
from droidloop.devices.android.parsers.adb_text import reason_of

from .connection import TIMEOUT_S, Connection
from .failures import error_of
from .wire import Channel, Deadline

PATH_MAX_BYTES = 1024
_CHUNK_MAX_BYTES = 64 * 1024


@dataclass(frozen=True)
class RemoteFile:
    """A file on a device; sizes beyond 4 GiB are not told by this protocol."""

    mode: int
    size_bytes: int

    @property
    def is_file(self) -> bool:
        """Whether it is a plain file."""
        return stat.S_ISREG(self.mode)


def stat_file(
    connection: Connection, path: str, *, timeout_s: float = TIMEOUT_S
) -> RemoteFile | None:
    """Return what lies at *path* on the device, None if there is nothing."""
    request = _request(b"STAT", path)
    with closing(connection.open("sync:", Deadline(timeout_s))) as channel:
        channel.send(request)
        kind, mode, size, _ = struct.unpack("<4s3I", channel.read_exact(16))
    if kind != b"STAT":
        raise ServerError(connection.serial, f"protocol fault: {kind!r} for a file's status")
    return RemoteFile(mode, size) if mode else None


def read_file(
    connection: Connection, path: str, target: BinaryIO, *, timeout_s: float, limit_bytes: int
) -> int:
    """Write the bytes of *path* on the device to *target*; return how many.

    Raises:
        OutputTooLongError: it is longer than *limit_bytes*; *target* holds a part of it.
        AndroidError: it cannot be read, or not within *timeout_s*.
    """
    request = _request(b"RECV", path)
    try:
        with closing(connection.open("sync:", Deadline(timeout_s))) as channel:
            channel.send(request)
            return _receive(channel, connection.serial, path, target, limit_bytes)
    except DeviceTimeoutError as error:
        what = f"{path} did not arrive within {timeout_s:g} s"
        raise DeviceTimeoutError(connection.serial, what) from error


def _receive(channel: Channel, serial: str, path: str, target: BinaryIO, limit_bytes: int) -> int:
    total = 0
    while True:
        kind, size = struct.unpack("<4sI", channel.read_exact(8))
        if kind == b"DONE":
            return total
        if kind not in (b"DATA", b"FAIL") or size > _CHUNK_MAX_BYTES:
            raise ServerError(serial, f"protocol fault: {kind!r} of {size} bytes")
        data = channel.read_exact(size)
        if kind == b"FAIL":
            words = data.decode(errors="replace")
            raise error_of(serial, reason_of(words), f"{path}: {words}", TransferError)
        total += size
        if total > limit_bytes:
            raise OutputTooLongError(serial, f"{path} is longer than {limit_bytes} bytes")
        target.write(data)


def _request(kind: bytes, path: str) -> bytes:
    data = path.encode()
    if not path.startswith("/") or b"\0" in data or len(data) > PATH_MAX_BYTES:
        raise ValueError(f"not an absolute path of at most {PATH_MAX_BYTES} bytes: {path!r}")
    return struct.pack("<4sI", kind, len(data)) + data
