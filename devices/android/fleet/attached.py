"""An attached device as runners use it: its connection with checked copies."""

from collections.abc import Sequence
from pathlib import Path
from typing import final

from droidloop.devices.android.adb.connection import Connection, ShellResult
from droidloop.devices.android.adb.transfer import Transfer, pull, push

SLOWEST_BYTES_PER_S = 20_000
TRANSFER_S = 60.0


@final
class AttachedDevice:
    """A ``Device`` of the runners' contract on a *connection*.

    A copy may take *transfer_s*, and as long again as it takes at *slowest_bytes_per_s*: adb tells
    nothing of its progress, and a link that is gone is noticed by the time alone.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        transfer_s: float = TRANSFER_S,
        slowest_bytes_per_s: int = SLOWEST_BYTES_PER_S,
    ) -> None:
        self.connection = connection
        self._transfer_s = transfer_s
        self._slowest_bytes_per_s = slowest_bytes_per_s

    @property
    def serial(self) -> str:
        """What adb calls the device."""
        return self.connection.serial

    def shell(self, argv: Sequence[str], *, timeout_s: float) -> ShellResult:
        """Run *argv* on the device; see ``Connection.shell``."""
        return self.connection.shell(argv, timeout_s=timeout_s)

    def push(self, local: Path, remote: str) -> Transfer:
        """Copy *local* to the device; see ``transfer.push``."""
        limit_s = self._limit_s(local.stat().st_size)
        return push(self.connection, local, remote, timeout_s=limit_s)

    def pull(self, remote: str, local: Path, *, limit_bytes: int) -> Transfer:
        """Copy *remote* from the device; see ``transfer.pull``."""
        limit_s = self._limit_s(limit_bytes)
        return pull(self.connection, remote, local, timeout_s=limit_s, limit_bytes=limit_bytes)

    def _limit_s(self, size_bytes: int) -> float:
        return self._transfer_s + size_bytes / self._slowest_bytes_per_s
