"""Files to and from a device: copied, checked against their hash, and only then visible.

Pushing is done by the adb client that adbutils ships: it is faster than adbutils' own push, and
it tells why a copy failed.
"""

import hashlib
import os
import re
import secrets
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from droidloop.devices.android.errors import (
    AndroidError,
    CommandError,
    DeviceTimeoutError,
    NoSuchFileError,
    ParseError,
    StorageFullError,
    TransferError,
    VerificationError,
)
from droidloop.devices.android.parsers.adb_text import failure_of
from droidloop.devices.android.parsers.df import mount_of, parse_df

from .adb_process import adb_environment, adb_path
from .connection import Connection
from .failures import error_of
from .sync import read_file, stat_file

STEP_TIMEOUT_S = 10.0
AFTER_FAILURE_S = 3.0  # a device that does not answer by then is swept when it is back
_HASH_BYTES_PER_S = 1_000_000  # an old phone's slowest storage
_NO_SUCH_COMMAND = 127


@dataclass(frozen=True)
class Transfer:
    """A copy that was made.

    Attributes:
        transfer_us: wall time of the copy alone.
        verify_us: wall time of hashing on both sides and of making it visible.
    """

    size_bytes: int
    transfer_us: int
    verify_us: int

    @property
    def bytes_per_s(self) -> float:
        """The rate of the copy alone."""
        return self.size_bytes * 1e6 / max(self.transfer_us, 1)


def push(
    connection: Connection,
    local: Path,
    remote: str,
    *,
    timeout_s: float,
    mode: int | None = None,
) -> Transfer:
    """Copy the file *local* to the path *remote* on the device.

    The copy arrives under another name, is compared with the original by size and hash, and takes
    its name only then. What a failed copy leaves behind is removed at once, or when the device is
    back (``Connection.wait``, or the next push).

    Args:
        connection: the device.
        local: a plain file.
        remote: absolute path of the copy; its folder exists.
        timeout_s: for the copy alone.
        mode: permissions of the copy, such as 0o755; None leaves those that adb gives.

    Raises:
        StorageFullError: it does not fit.
        AccessError: the shell user may not write there.
        DisconnectedError: the device went away.
        VerificationError: the copy differs from the original.
        AndroidError: any other failure.
    """
    size = local.stat().st_size
    folder = str(PurePosixPath(remote).parent)
    connection.sweep()
    _check_room(connection, folder, size)
    part = f"{remote}.{secrets.token_hex(4)}.part"
    try:
        transfer_us = _push_by_adb(connection, local.resolve(), part, timeout_s)
        start_us = _now_us()
        verify(connection, part, local)
        if mode is not None:
            connection.run(["chmod", f"{mode:o}", part], timeout_s=STEP_TIMEOUT_S)
        connection.run(["mv", "-f", part, remote], timeout_s=STEP_TIMEOUT_S)
    except BaseException:
        connection.leave_behind(part)
        with suppress(AndroidError):  # it is gone for now: removed when it is back
            connection.sweep(AFTER_FAILURE_S)
        raise
    return Transfer(size, transfer_us, _now_us() - start_us)


def pull(
    connection: Connection, remote: str, local: Path, *, timeout_s: float, limit_bytes: int
) -> Transfer:
    """Copy the plain file *remote* from the device to the path *local*.

    Args:
        connection: the device.
        remote: absolute path of the file.
        local: where the copy goes; it appears there whole or not at all.
        timeout_s: for the copy alone.
        limit_bytes: the most that is accepted from the device.

    Raises:
        NoSuchFileError: there is no such file.
        OutputTooLongError: it is longer than *limit_bytes*.
        VerificationError: the copy differs from the original.
        AndroidError: any other failure.
    """
    found = stat_file(connection, remote, timeout_s=STEP_TIMEOUT_S)
    if found is None:
        raise NoSuchFileError(connection.serial, f"nothing at {remote}")
    if not found.is_file:
        raise TransferError(connection.serial, f"{remote} is not a plain file", "name a file")
    part = local.with_name(f"{local.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as target:
            start_us = _now_us()
            size = read_file(
                connection, remote, target, timeout_s=timeout_s, limit_bytes=limit_bytes
            )
            transfer_us = _now_us() - start_us
        start_us = _now_us()
        verify(connection, remote, part)
        os.replace(part, local)
    finally:
        part.unlink(missing_ok=True)
    return Transfer(size, transfer_us, _now_us() - start_us)


def verify(connection: Connection, remote: str, local: Path) -> None:
    """Compare *remote* on the device with *local* by size and hash.

    Raises:
        VerificationError: they differ.
        AndroidError: the device cannot tell.
    """
    found = stat_file(connection, remote, timeout_s=STEP_TIMEOUT_S)
    size = local.stat().st_size
    if found is None or found.size_bytes != size % 2**32:
        there = "nothing" if found is None else f"{found.size_bytes} bytes"
        raise VerificationError(connection.serial, f"{remote} is {there} instead of {size} bytes")
    limit_s = STEP_TIMEOUT_S + size / _HASH_BYTES_PER_S
    name, there = remote_hash(connection, remote, timeout_s=limit_s)
    with local.open("rb") as file:
        here = hashlib.file_digest(file, name).hexdigest()
    if there != here:
        raise VerificationError(connection.serial, f"{remote} has {name} {there}, not {here}")


def remote_hash(connection: Connection, path: str, *, timeout_s: float) -> tuple[str, str]:
    """Return name and value of the hash of *path*, computed on the device.

    It is SHA-256 where the device can compute it (Android 6 and later), else MD5.
    """
    for name, digits in (("sha256", 64), ("md5", 32)):
        result = connection.shell([f"{name}sum", path], timeout_s=timeout_s)
        if result.exit_code == _NO_SUCH_COMMAND:
            continue
        match = re.match(rf"\\?([0-9a-f]{{{digits}}})\s", result.stdout)
        if result.exit_code != 0 or match is None:
            what = f"{name}sum of {path} failed: {result.last_words}"
            raise CommandError(connection.serial, what, result.exit_code)
        return name, match[1]
    raise TransferError(connection.serial, "it has neither sha256sum nor md5sum")


def free_bytes(connection: Connection, folder: str) -> int:
    """Return the room on the file system of *folder* on the device.

    Raises:
        ParseError: its ``df`` prints an unknown form.
        AndroidError: it could not be asked.
    """
    text = connection.run(["df", folder], timeout_s=STEP_TIMEOUT_S)
    return mount_of(parse_df(text), folder).free_bytes


def _check_room(connection: Connection, folder: str, size: int) -> None:
    try:
        free = free_bytes(connection, folder)
    except (CommandError, ParseError):
        # Only a courtesy to the device: adb tells by itself if the copy does not fit.
        return
    if free < size:
        what = f"{size} bytes do not fit into the {free} that are free on {folder}"
        raise StorageFullError(connection.serial, what)


def _push_by_adb(connection: Connection, local: Path, remote: str, timeout_s: float) -> int:
    """Push by the adb client; return the wall time in microseconds."""
    connection.adb.revive()  # where there is none, the client would start a server of its own
    number = connection.fresh_transport_id()
    server = connection.adb.socket
    command = [str(adb_path()), "-L", server, "-t", str(number), "push", str(local), remote]
    start_us = _now_us()
    status, output = _run(command, connection.serial, timeout_s)
    end_us = _now_us()
    failure = failure_of(output, status)
    if failure is not None:
        raise error_of(connection.serial, *failure, TransferError)
    return end_us - start_us


def _run(command: Sequence[str], serial: str, timeout_s: float) -> tuple[int, str]:
    """Return exit status and both streams of a client; it is ended at *timeout_s*."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=adb_environment(),
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DeviceTimeoutError(serial, f"a push did not end within {timeout_s:g} s") from error
    return done.returncode, done.stdout.decode(errors="replace")


def _now_us() -> int:
    return time.perf_counter_ns() // 1000
