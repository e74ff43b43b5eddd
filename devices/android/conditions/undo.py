"""How each change to a device is taken back: as data, so that it survives a crash."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.emulator.console import Console
from droidloop.devices.android.errors import ConditionError, ParseError, RestoreError
from droidloop.devices.android.parsers.battery import parse_battery

POLL_TIMEOUT_S = 10.0
_POLL_S = 0.2


@dataclass(frozen=True)
class ResetBattery:
    """Let Android's battery service show the real battery again."""


@dataclass(frozen=True)
class SetRadio:
    """Switch a *radio* (``wifi`` or ``data``) back *on* or off."""

    radio: str
    on: bool

    def __post_init__(self) -> None:
        if self.radio not in SETTINGS:
            raise ValueError(f"{self.radio!r} is no radio")


@dataclass(frozen=True)
class SetLink:
    """Shape an emulator's link as it was, bits per second and milliseconds."""

    up_bps: int
    down_bps: int
    min_ms: int
    max_ms: int


@dataclass(frozen=True)
class SetModem:
    """Register an emulator's modem as it was."""

    state: str


@dataclass(frozen=True)
class SetPower:
    """Give an emulator the battery that it had."""

    capacity_percent: int
    ac: bool
    status: str


Undo = ResetBattery | SetRadio | SetLink | SetModem | SetPower
_KINDS: dict[str, Callable[..., Undo]] = {
    kind.__name__: kind for kind in (ResetBattery, SetRadio, SetLink, SetModem, SetPower)
}
SETTINGS = {"wifi": "wifi_on", "data": "mobile_data"}
"""The global setting that tells whether a radio is on; ``svc`` itself says nothing."""


def to_json(undo: Undo) -> dict[str, Any]:
    """Return *undo* as JSON can hold it."""
    return {"kind": type(undo).__name__} | asdict(undo)


def from_json(value: dict[str, Any]) -> Undo:
    """Return what ``to_json`` was given.

    Raises:
        ValueError: *value* is nothing that it returns.
    """
    fields = dict(value)
    kind = _KINDS.get(fields.pop("kind", ""))
    if kind is None:
        raise ValueError(f"an unknown change: {json.dumps(value)}")
    try:
        return kind(**fields)
    except TypeError as error:
        raise ValueError(str(error)) from error


def perform(undo: Undo, connection: Connection, console: Console | None) -> None:
    """Take a change back and make sure that it is.

    Raises:
        AndroidError: it could not be, or not be seen to be.
    """
    match undo:
        case ResetBattery():
            _unless(lambda: not is_frozen(connection), lambda: battery_command(connection, "reset"))
            wait_for(connection, "its battery to be real", lambda: not is_frozen(connection))
        case SetRadio(radio, on):
            _unless(
                lambda: radio_is_on(connection, radio) is on,
                lambda: switch_radio(connection, radio, on),
            )
        case SetLink(up_bps, down_bps, min_ms, max_ms):
            session = _needed(console, connection)
            session.set_network_speed(up_kbps=up_bps / 1000, down_kbps=down_bps / 1000)
            session.set_network_delay(min_ms=min_ms, max_ms=max_ms)
        case SetModem(state):
            _needed(console, connection).set_gsm_data(state)
        case SetPower(capacity_percent, ac, status):
            _needed(console, connection).set_power(
                capacity_percent=capacity_percent, ac=ac, status=status
            )


def battery_command(connection: Connection, *words: str) -> None:
    """Give the battery service a command; Androids before 7 take it from ``dumpsys``.

    Raises:
        ConditionError: the device does not permit it.
    """
    result = connection.shell(["cmd", "battery", *words])
    if result.exit_code == 127:
        result = connection.shell(["dumpsys", "battery", *words])
    if result.exit_code != 0:
        raise ConditionError(connection.serial, f"battery {words[0]} failed: {result.last_words}")


def is_frozen(connection: Connection) -> bool:
    """Return whether Android shows a battery that was set by hand.

    Raises:
        ParseError: the device prints an unknown form.
    """
    return parse_battery(connection.run(["dumpsys", "battery"])).updates_stopped


def radio_is_on(connection: Connection, radio: str) -> bool | None:
    """Return whether *radio* is switched on, None where the device has none or does not say."""
    value = connection.run(["settings", "get", "global", SETTINGS[radio]]).strip()
    # WiFi: 2 is on in flight mode, 3 is off because of it.
    return {"0": False, "1": True, "2": True, "3": False}.get(value)


def switch_radio(connection: Connection, radio: str, on: bool) -> None:
    """Switch *radio* and wait until its setting says so.

    Raises:
        ConditionError: the device does not permit it.
    """
    result = connection.shell(["svc", radio, "enable" if on else "disable"])
    if result.exit_code != 0:
        raise ConditionError(connection.serial, f"svc {radio} failed: {result.last_words}")
    what = f"its {radio} to be {'on' if on else 'off'}"
    wait_for(connection, what, lambda: radio_is_on(connection, radio) is on)


def wait_for(connection: Connection, what: str, holds: Callable[[], bool]) -> None:
    """Wait until *holds*, at most ten seconds.

    Raises:
        ConditionError: it does not; the message says *what* was waited for.
    """
    end_s = time.monotonic() + POLL_TIMEOUT_S
    while True:
        try:
            if holds():
                return
        except ParseError as error:
            raise ConditionError(connection.serial, str(error)) from error
        if time.monotonic() > end_s:
            raise ConditionError(connection.serial, f"waited in vain for {what}")
        time.sleep(_POLL_S)


def _unless(holds: Callable[[], bool], change: Callable[[], None]) -> None:
    """Make *change*; where the device forbids it, it suffices that what is wanted *holds*.

    A change that was written down may have been forbidden as well.
    """
    try:
        change()
    except ConditionError:
        if not holds():
            raise


def _needed(console: Console | None, connection: Connection) -> Console:
    if console is None:
        raise RestoreError(connection.serial, "its console is needed to restore it")
    return console
