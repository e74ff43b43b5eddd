"""What an emulator's console prints: its greeting, the link and the battery."""

import re
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of

SOURCE = "emulator console"
_SPEED = re.compile(r"(download|upload) speed:\s*([0-9]+) bits/s \(.*\)")
_LATENCY = re.compile(r"(minimum|maximum) latency:\s*([0-9]+) ms")
_POWER = re.compile(r"(AC|status|health|present|capacity): (.*)")


@dataclass(frozen=True)
class Greeting:
    """How the console begins; *token_path* is where the emulator keeps its secret."""

    needs_auth: bool
    token_path: str | None


@dataclass(frozen=True)
class NetworkStatus:
    """The shaped link of an emulator; a speed of 0 is unlimited."""

    download_bps: int
    upload_bps: int
    min_latency_ms: int
    max_latency_ms: int


@dataclass(frozen=True)
class PowerDisplay:
    """The simulated battery of an emulator; *status* and *health* in the words of its commands."""

    ac: bool
    status: str
    health: str
    present: bool
    capacity_percent: int


_STATUSES = {"Unknown", "Charging", "Discharging", "Not charging", "Full"}
_HEALTHS = {
    "Unknown": "unknown",
    "Good": "good",
    "Overhead": "overheat",  # as the emulator spells it
    "Overheat": "overheat",
    "Dead": "dead",
    "Overvoltage": "overvoltage",
    "Unspecified failure": "failure",
}


def parse_greeting(text: str) -> Greeting:
    """Return what the console's first lines ask for; *text* may go on after them.

    Raises:
        ParseError: it is not the greeting of an emulator's console.
    """
    lines = lines_of(text)
    first = lines[0].strip()
    if first == "Android Console: type 'help' for a list of commands":
        return Greeting(needs_auth=False, token_path=None)
    if first != "Android Console: Authentication required":
        raise ParseError(SOURCE, "an unknown greeting", text)
    # The path stands in quotes, after "in" or on the line below it.
    path = re.search(r"you can find your <auth_token> in\s*\n?\s*'([^'\n]+)'", text)
    return Greeting(needs_auth=True, token_path=path[1] if path else None)


def parse_network_status(text: str) -> NetworkStatus:
    """Return the link that ``network status`` prints.

    Raises:
        ParseError: one of its four lines is missing.
    """
    values: dict[str, int] = {}
    for line in lines_of(text):
        match = _SPEED.fullmatch(line.strip()) or _LATENCY.fullmatch(line.strip())
        if match is not None:
            values[match[1]] = integer(match[2], SOURCE, 0)
    missing = {"download", "upload", "minimum", "maximum"} - values.keys()
    if missing:
        raise ParseError(SOURCE, f"network status gives no {', '.join(sorted(missing))}", text)
    return NetworkStatus(values["download"], values["upload"], values["minimum"], values["maximum"])


def parse_power_display(text: str) -> PowerDisplay:
    """Return the battery that ``power display`` prints.

    Raises:
        ParseError: one of its five lines is missing or says something unknown.
    """
    values = {m[1]: m[2] for line in lines_of(text) if (m := _POWER.fullmatch(line.strip()))}
    if (
        values.get("AC") not in ("online", "offline")
        or values.get("status") not in _STATUSES
        or values.get("health") not in _HEALTHS
        or values.get("present") not in ("true", "false")
        or "capacity" not in values
    ):
        raise ParseError(SOURCE, "power display gives no whole battery", text)
    return PowerDisplay(
        ac=values["AC"] == "online",
        status=values["status"].lower().replace(" ", "-"),
        health=_HEALTHS[values["health"]],
        present=values["present"] == "true",
        capacity_percent=integer(values["capacity"], SOURCE, 0, 100),
    )
