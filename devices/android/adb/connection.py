"""One device: commands on it with a time limit, and answers that say what really happened."""

import re
import secrets
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import final

from droidloop.devices.android.errors import (
    AbsentError,
    CommandError,
    DeviceTimeoutError,
    DisconnectedError,
    OutputTooLongError,
    ServerError,
)
from droidloop.devices.android.parsers.adb_text import State

from .adb import Adb, wait_listed
from .quoting import shell_command
from .wire import Channel, Deadline

TIMEOUT_S = 30.0
OUTPUT_MAX_BYTES = 4 * 2**20
_STDOUT, _STDERR, _EXIT, _CLOSE_STDIN = 1, 2, 3, 4


@dataclass(frozen=True)
class ShellResult:
    """What a command gave; *stderr* is None where the device mixes it into *stdout* (to 6)."""

    stdout: str
    stderr: str | None
    exit_code: int

    @property
    def last_words(self) -> str:
        """The last line of what it said, errors first: why it failed."""
        text = (self.stderr or "").strip() or self.stdout.strip()
        return text.split("\n")[-1]


@final
class Connection:
    """A device by its serial. Methods may be called from several threads."""

    def __init__(self, adb: Adb, serial: str) -> None:
        if not serial:
            raise ValueError("a serial is needed: there is no default device")
        self.adb = adb
        self.serial = serial
        self._transport: tuple[int, frozenset[str]] | None = None
        self._leftovers: set[str] = set()

    @property
    def state(self) -> State:
        """The state in which adb lists the device now."""
        listed = self.adb.listed(self.serial)
        return State.ABSENT if listed is None else listed.state

    @property
    def wireless(self) -> bool:
        """Whether adb reaches the device over its own network, which must not be cut then."""
        return ":" in self.serial or "._adb-tls-connect._tcp" in self.serial

    def wait(self, timeout_s: float) -> None:
        """Wait until commands can run, attaching the device again where that can help.

        Raises:
            AndroidError: they cannot within *timeout_s*.
        """
        wait_listed(self.adb, self.serial, timeout_s)
        self.sweep()

    def leave_behind(self, path: str) -> None:
        """Remember that *path* on the device is to be removed when it can be reached again."""
        self._leftovers.add(path)

    def sweep(self, timeout_s: float = 10.0) -> None:
        """Remove what was left behind when the device went away, each within *timeout_s*.

        Raises:
            AndroidError: the device cannot be reached; it stays remembered.
        """
        for path in sorted(self._leftovers):
            self.run(["rm", "-f", path], timeout_s=timeout_s)
            self._leftovers.discard(path)

    def shell(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = OUTPUT_MAX_BYTES,
    ) -> ShellResult:
        """Run the command *argv* on the device, without input, and return its end.

        Arguments are quoted here; for a pipeline give ``["sh", "-c", SCRIPT, "sh", ARGUMENT...]``
        with a constant script. At the time limit the stream is closed, but the process may go on.

        Raises:
            AndroidError: the device is not there, went away, did not finish within *timeout_s*,
                or printed more than *limit_bytes*.
            ValueError: *argv* cannot be a command.
        """
        command = shell_command(argv)
        deadline = Deadline(timeout_s)
        try:
            if "shell_v2" in self._known()[1]:
                with closing(self.open(f"shell,v2,raw:{command}", deadline)) as channel:
                    return self._read_packets(channel, limit_bytes)
            mark = f"droidloop-{secrets.token_hex(8)}"  # no output can hold it by chance
            wrapped = f"({command}) </dev/null; end=$?; echo; echo {mark}:$end"
            with closing(self.open(f"shell:{wrapped}", deadline)) as channel:
                return self._read_marked(channel, mark, limit_bytes)
        except DeviceTimeoutError as error:
            what = f"{argv[0]} did not end within {timeout_s:g} s"
            raise DeviceTimeoutError(self.serial, what) from error

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float = TIMEOUT_S,
        limit_bytes: int = OUTPUT_MAX_BYTES,
    ) -> str:
        """Run *argv* as ``shell`` does and return its standard output.

        Raises:
            CommandError: it ended with another status than 0.
            AndroidError: as for ``shell``.
        """
        result = self.shell(argv, timeout_s=timeout_s, limit_bytes=limit_bytes)
        if result.exit_code != 0:
            what = f"{argv[0]} ended with {result.exit_code}: {result.last_words}"
            raise CommandError(self.serial, what, result.exit_code)
        return result.stdout

    def open(self, service: str, deadline: Deadline) -> Channel:
        """Return a stream to a *service* of the device's adbd, such as ``sync:``."""
        number = self._known()[0]
        try:
            return self.adb.service(number, service, self.serial, deadline)
        except (AbsentError, ServerError):
            # The device or the server came back under another number; nothing has run yet.
            number = self.fresh_transport_id()
        return self.adb.service(number, service, self.serial, deadline)

    def fresh_transport_id(self) -> int:
        """Return the adb server's number for the connection to the device, asked for now."""
        self._transport = None
        return self._known()[0]

    def _known(self) -> tuple[int, frozenset[str]]:
        """Return number and features; each service checks that the number still holds."""
        known = self._transport
        if known is None:
            number = self.adb.transport_id(self.serial)
            known = self._transport = number, self.adb.features(number, self.serial)
        return known

    def _read_packets(self, channel: Channel, limit_bytes: int) -> ShellResult:
        """Return the end of a command of the second shell protocol.

        The stream of a device that vanished ends too, but without the packet of the exit code.
        """
        channel.send(bytes([_CLOSE_STDIN]) + bytes(4))
        streams = {_STDOUT: bytearray(), _STDERR: bytearray()}
        while True:
            head = channel.read_exact(5)
            size = int.from_bytes(head[1:], "little")
            if sum(len(s) for s in streams.values()) + size > limit_bytes:
                raise OutputTooLongError(self.serial, f"more than {limit_bytes} bytes of output")
            data = channel.read_exact(size)
            if head[0] in streams:
                streams[head[0]] += data
            elif head[0] == _EXIT and size == 1:
                return ShellResult(_text(streams[_STDOUT]), _text(streams[_STDERR]), data[0])
            else:
                raise ServerError(self.serial, f"protocol fault: packet {head[0]} of {size} bytes")

    def _read_marked(self, channel: Channel, mark: str, limit_bytes: int) -> ShellResult:
        """Return the end of a command of the first shell protocol, which knows no exit code."""
        data = bytearray()
        while part := channel.read_some(65536):
            data += part
            if len(data) > limit_bytes + 100:
                raise OutputTooLongError(self.serial, f"more than {limit_bytes} bytes of output")
        text = _text(data).replace("\r\n", "\n")  # Androids to 6 run commands on a terminal
        end = re.fullmatch(rf"(.*)\n{mark}:([0-9]{{1,3}})\n", text, re.DOTALL)
        if end is None:
            raise DisconnectedError(self.serial, "it went away in the middle of a command")
        return ShellResult(end[1], None, int(end[2]))


def _text(data: bytearray) -> str:
    return data.decode(errors="replace")
