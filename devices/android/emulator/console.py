"""An emulator's console: its link, its battery, its modem.

Grammar from the emulator's source (android-emu, console.cpp): a command is one line; the answer
is text that ends with a line ``OK`` or one that starts with ``KO:``.
"""

import re
import socket
from pathlib import Path
from typing import Self, final

from droidloop.devices.android.adb.wire import Deadline
from droidloop.devices.android.errors import ConsoleError, DeviceTimeoutError, DisconnectedError
from droidloop.devices.android.parsers.console_text import (
    NetworkStatus,
    PowerDisplay,
    parse_greeting,
    parse_network_status,
    parse_power_display,
)
from droidloop.platform.places import home

TIMEOUT_S = 10.0
TOKEN_FILE = ".emulator_console_auth_token"  # noqa: S105  the name of a file
DATA_STATES = ("unregistered", "home", "roaming", "searching", "denied", "off", "on")
_ANSWER_MAX_BYTES = 256 * 1024
_TOKEN = re.compile(r"[!-~]{1,256}")
_ALIVE = "I am alive!"


@final
class Console:
    """A session with the console on *port* of this machine; use it in a ``with`` block.

    The secret is read from *token_file*, never from the path that the listener names: whoever
    answers on the port would get to read that file.

    Raises:
        ConsoleError: nothing listens there, it is no console, or it refuses the secret.
    """

    def __init__(
        self, port: int, *, token_file: Path | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.port = port
        self.who = f"emulator-{port}"
        self._timeout_s = timeout_s
        self._rest = b""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout_s)
        except OSError as error:
            what = f"no console on port {port}: {error}"
            raise ConsoleError(self.who, what, "start the emulator") from error
        try:
            self._authenticate(token_file or home("ANDROID_AVD_HOME") / TOKEN_FILE)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session; the emulator goes on."""
        self._socket.close()

    def command(self, *words: str, timeout_s: float | None = None) -> str:
        """Send the command of *words* and return the text before its ``OK``.

        Raises:
            ConsoleError: the console answers ``KO``.
            DisconnectedError: it ends.
            DeviceTimeoutError: it does not answer in time.
            ValueError: a word would be another, or another command.
        """
        self._send(words)
        return self._answer(" ".join(words[:2]), timeout_s or self._timeout_s)

    def ping(self) -> None:
        """Check that the console answers."""
        text = self.command("ping")
        if text.strip() != _ALIVE:
            raise ConsoleError(self.who, f"it answers a ping with {text!r}")

    def network_status(self) -> NetworkStatus:
        """Return the link as it is shaped now."""
        return parse_network_status(self.command("network", "status"))

    def set_network_speed(self, *, up_kbps: float, down_kbps: float) -> None:
        """Shape the cellular path, in 1000 bits per second; 0 is unlimited.

        Emulated WiFi is not shaped: it has to be off on the device.

        Raises:
            ConsoleError: the console did not take it, as its status shows.
        """
        up, down = _number(up_kbps), _number(down_kbps)
        self.command("network", "speed", f"{up}:{down}")
        status = self.network_status()
        wanted = (float(up) * 1000, float(down) * 1000)
        if max(abs(status.upload_bps - wanted[0]), abs(status.download_bps - wanted[1])) > 1:
            what = f"asked for {wanted} bit/s up and down, its link has {status}"
            raise ConsoleError(self.who, what)

    def set_network_delay(self, *, min_ms: int, max_ms: int) -> None:
        """Delay what the cellular path carries by *min_ms* to *max_ms* milliseconds.

        Raises:
            ConsoleError: the console did not take it, as its status shows.
        """
        if not 0 <= min_ms <= max_ms:
            raise ValueError(f"delays of {min_ms} to {max_ms} ms")
        self.command("network", "delay", f"{min_ms}:{max_ms}")
        status = self.network_status()
        if (status.min_latency_ms, status.max_latency_ms) != (min_ms, max_ms):
            what = f"asked for a delay of {min_ms} to {max_ms} ms, its link has {status}"
            raise ConsoleError(self.who, what)

    def power(self) -> PowerDisplay:
        """Return the simulated battery."""
        return parse_power_display(self.command("power", "display"))

    def set_power(self, *, capacity_percent: int, ac: bool, status: str) -> None:
        """Set level, charger and status (in the words of ``PowerDisplay``) of the battery.

        Raises:
            ConsoleError: the console did not take it, as its display shows.
        """
        self.command("power", "capacity", str(capacity_percent))
        self.command("power", "ac", "on" if ac else "off")
        self.command("power", "status", status)
        power = self.power()
        if (power.capacity_percent, power.ac, power.status) != (capacity_percent, ac, status):
            raise ConsoleError(self.who, f"it has not taken the battery: {power}")

    def gsm_data(self) -> str:
        """Return the state of the modem's data registration, such as ``home``."""
        match = re.search(r"gsm data state:\s*(\S+)", self.command("gsm", "status"))
        if match is None:
            raise ConsoleError(self.who, "it tells no state of its modem")
        return match[1]

    def set_gsm_data(self, state: str) -> None:
        """Set the data registration; any but ``home``, ``roaming``, ``on`` cuts all traffic."""
        if state not in DATA_STATES:
            raise ValueError(f"{state!r} is none of {', '.join(DATA_STATES)}")
        self.command("gsm", "data", state)

    def avd_name(self) -> str:
        """Return the name of the virtual device."""
        return self.command("avd", "name").strip()

    def kill(self) -> None:
        """Ask the emulator to end; it answers and closes the session."""
        self._send(("kill",))
        try:
            self._answer("kill", self._timeout_s)
        except DisconnectedError:
            return

    def _authenticate(self, token_file: Path) -> None:
        greeting = parse_greeting(self._answer("greeting", self._timeout_s))
        if not greeting.needs_auth:
            return
        try:
            token = token_file.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            what = f"it asks for the secret in {greeting.token_path}; {token_file} is not readable"
            raise ConsoleError(self.who, what, "run as the user of the emulator") from error
        if _TOKEN.fullmatch(token) is None:
            raise ConsoleError(self.who, f"{token_file} holds no secret", "delete it")
        self._send(("auth", token))
        try:
            self._answer("auth", self._timeout_s)
        except ConsoleError as error:
            # Not chained: the console may repeat the secret.
            raise ConsoleError(
                self.who,
                f"it refuses the secret in {token_file}: {error.what}".replace(token, "***"),
                "run as the user of the emulator",
            ) from None

    def _send(self, words: tuple[str, ...]) -> None:
        if not words or any(not w or not w.isprintable() or " " in w for w in words):
            raise ValueError(f"{words!r} is not one command of plain words")
        try:
            self._socket.settimeout(self._timeout_s)
            self._socket.sendall(" ".join(words).encode() + b"\n")
        except TimeoutError as error:
            raise DeviceTimeoutError(self.who, "its console takes no command") from error
        except OSError as error:
            raise DisconnectedError(self.who, f"its console ended: {error}") from error

    def _answer(self, name: str, timeout_s: float) -> str:
        """Return the lines up to ``OK``."""
        deadline = Deadline(timeout_s)
        lines: list[str] = []
        size = 0
        while True:
            line = self._line(name, deadline)
            if line == "OK" or line.startswith("OK: "):
                return "\n".join(lines)
            if line.startswith("KO:"):
                raise ConsoleError(self.who, f"{name}: {line.removeprefix('KO:').strip()}")
            lines.append(line)
            size += len(line) + 1
            if size > _ANSWER_MAX_BYTES:
                raise ConsoleError(self.who, f"{name}: an answer without an end")

    def _line(self, name: str, deadline: Deadline) -> str:
        """Return the next line without its end, which is CR LF or LF alone."""
        while b"\n" not in self._rest:
            try:
                self._socket.settimeout(deadline.left_s())
                part = self._socket.recv(4096)
            except TimeoutError as error:
                # A late answer must not pass for that of another command.
                self.close()
                what = f"its console gave no end of {name} within {deadline.timeout_s:g} s"
                raise DeviceTimeoutError(self.who, what) from error
            except OSError as error:
                raise DisconnectedError(self.who, f"its console ended: {error}") from error
            if not part:
                raise DisconnectedError(self.who, f"its console ended during {name}")
            self._rest += part
            if len(self._rest) > _ANSWER_MAX_BYTES:
                raise ConsoleError(self.who, f"{name}: a line without an end")
        line, self._rest = self._rest.split(b"\n", 1)
        return line.decode(errors="replace").rstrip("\r")


def _number(kbps: float) -> str:
    """Return a speed as the console reads it."""
    if not 0 <= kbps < 1e9:
        raise ValueError(f"a speed of {kbps} kbit/s")
    return f"{kbps:.3f}".rstrip("0").rstrip(".")
