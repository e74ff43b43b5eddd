"""A private adb server: its own port, no foreign emulators, gone when this process is gone."""

import contextlib
import importlib.util
import os
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, final

from droidloop.devices.android.errors import AndroidError, ServerError

from .wire import SERVER, notify, request

START_TIMEOUT_S = 15.0
_ATTEMPTS = 5
# Ends the server when standard input closes, which happens even if this process is killed. The
# text is constant; the command comes as arguments.
_WATCH = """
exec 3<&0
"$@" 3<&- </dev/null >&2 &
adb=$!
echo "$adb"
{ read -r end <&3; kill "$adb"; } 2>/dev/null >&2 &
watch=$!
wait "$adb"
kill "$watch" 2>/dev/null
"""


def adb_path() -> Path:
    """Return the adb client that adbutils ships.

    Raises:
        ServerError: this installation of adbutils has none.
    """
    spec = importlib.util.find_spec("adbutils")
    if spec is None or spec.origin is None:
        raise ServerError("adb", "adbutils is not installed", "install droidloop with its needs")
    path = Path(spec.origin).parent / "binaries" / ("adb.exe" if os.name == "nt" else "adb")
    if not path.is_file():
        raise ServerError("adb", f"adbutils ships no {path.name}", "install a wheel of adbutils")
    return path


def adb_environment() -> dict[str, str]:
    """Return the environment for adb processes: none of the variables that redirect them."""
    foreign = ("ADB_SERVER_SOCKET", "ANDROID_ADB_SERVER_PORT", "ANDROID_ADB_SERVER_ADDRESS")
    return {k: v for k, v in os.environ.items() if k not in {*foreign, "ANDROID_SERIAL"}}


@final
class AdbProcess:
    """One running adb server on ``port`` of this machine; ``pid`` is the server's own."""

    def __init__(self, port: int, pid: int, shell: subprocess.Popen[bytes]) -> None:
        self.port = port
        self.pid = pid
        self._shell = shell

    @classmethod
    def start(cls, *, port: int | None = None, usb: bool = True) -> "AdbProcess":
        """Start a server and wait until it answers.

        It neither scans for emulators nor listens for announcements in the local network; with
        *usb* it takes the USB devices that no other adb server holds.

        Args:
            port: to listen on, where another server is ended first; None takes a free one.
            usb: whether to look for devices on USB.

        Raises:
            ServerError: it does not start.
        """
        if port is not None:
            _end_other(port)
        last = ServerError(SERVER, "it did not start")
        for _ in range(1 if port is not None else _ATTEMPTS):
            try:
                return _start(port or free_port(), usb)
            except ServerError as error:
                # Somebody else may have taken the port in between.
                last = error
        raise last

    def alive(self, grace_s: float = 0.0) -> bool:
        """Return whether the process still runs after *grace_s*; a death takes a moment to show."""
        try:
            self._shell.wait(grace_s)
        except subprocess.TimeoutExpired:
            return True
        return False

    def close(self) -> None:
        """End the server and wait for its end."""
        if self._shell.stdin is not None:
            self._shell.stdin.close()
        try:
            self._shell.wait(timeout=5)
        except subprocess.TimeoutExpired:
            os.kill(self.pid, 9)
            self._shell.kill()
            self._shell.wait()


def free_port() -> int:
    """Return a TCP port of 127.0.0.1 that is free now, outside those where adb seeks emulators."""
    for _ in range(100):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if not 5554 <= port <= 5585:
            return port
    raise ServerError(SERVER, "no free port")


def _end_other(port: int) -> None:
    """End the server that a client has started on *port*, as clients do where they find none."""
    with contextlib.suppress(AndroidError):  # nobody there, which is the rule
        notify(port, "host:kill", 2.0)


def _start(port: int, usb: bool) -> AdbProcess:
    settings = {"ADB_EMU": "0", "ADB_MDNS": "0", "ADB_MDNS_AUTO_CONNECT": "0"}
    if not usb:
        settings["ADB_USB"] = "0"
    command = [str(adb_path()), "-L", f"tcp:localhost:{port}", "server", "nodaemon"]
    with tempfile.TemporaryFile() as log:
        shell = subprocess.Popen(
            ["sh", "-c", _WATCH, "droidloop-adb", *command],  # noqa: S607  found as adb itself is: on the path of the person who runs it
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=adb_environment() | settings,
            start_new_session=True,  # Ctrl-C must not end it before devices are restored
        )
        assert shell.stdout is not None
        with shell.stdout as stdout:
            process = AdbProcess(port, int(stdout.readline()), shell)
        try:
            _wait(process, log)
        except BaseException:
            process.close()
            raise
    return process


def _wait(process: AdbProcess, log: IO[bytes]) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end and process.alive():
        try:
            request(process.port, "host:version", 1.0)
        except AndroidError:
            time.sleep(0.02)
        else:
            return
    log.seek(0)
    words = log.read()[-300:].decode(errors="replace")
    raise ServerError(SERVER, f"it did not start on port {process.port}: {words}", "try again")
