"""``dumpsys battery``: the battery as Android's battery service sees it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from droidloop.devices.android.errors import ParseError

from .text import INT64_MAX, boolean, integer, is_integer, lines_of

SOURCE = "dumpsys battery"
_HEADER = "Current Battery Service state:"
_LINE = re.compile(r"  ([A-Za-z][^:]*): (.*)")
_FLAGS = {"AC powered", "USB powered", "Wireless powered", "Dock powered", "present"}
_REQUIRED = {"AC powered", "USB powered", "status", "present", "level", "scale"}
_ALL = _REQUIRED | {"health", "voltage", "temperature"}
# "current now" is printed by Samsung in mA; the same word in uA gives values that no phone draws.
_CURRENT_MA_MAX = 10_000


class BatteryStatus(IntEnum):
    """``BatteryManager.BATTERY_STATUS_*``."""

    UNKNOWN = 1
    CHARGING = 2
    DISCHARGING = 3
    NOT_CHARGING = 4
    FULL = 5


class BatteryHealth(IntEnum):
    """``BatteryManager.BATTERY_HEALTH_*``."""

    UNKNOWN = 1
    GOOD = 2
    OVERHEAT = 3
    DEAD = 4
    OVER_VOLTAGE = 5
    UNSPECIFIED_FAILURE = 6
    COLD = 7


@dataclass(frozen=True)
class Battery:
    """The state of a battery; None where this Android does not say.

    Attributes:
        temperature_dc: tenths of a degree Celsius.
        charge_counter_uah: as the vendor counts it, which is not always the charge left.
        current_now_ma: as printed; its sign differs between vendors.
        updates_stopped: the values are frozen (``cmd battery set``): no energy can be
            measured from them.
    """

    ac_powered: bool
    usb_powered: bool
    wireless_powered: bool | None
    dock_powered: bool | None
    status: BatteryStatus
    health: BatteryHealth | None
    present: bool
    level: int
    scale: int
    voltage_mv: int | None
    temperature_dc: int | None
    technology: str | None
    max_charging_current_ua: int | None
    max_charging_voltage_uv: int | None
    charge_counter_uah: int | None
    current_now_ma: int | None
    updates_stopped: bool

    @property
    def plugged(self) -> bool:
        """Whether any charger is connected."""
        return any((self.ac_powered, self.usb_powered, self.wireless_powered, self.dock_powered))


def parse_battery(text: str) -> Battery:
    """Return the battery that *text* describes.

    Vendors print blocks before and logs after the service's own block, and prose in it: only the
    first well-formed line of a key counts, and only up to the end of the block.

    Raises:
        ParseError: there is no such block, or a value is missing or impossible.
    """
    values, updates_stopped = _values(text)
    missing = sorted(_REQUIRED - values.keys())
    if missing:
        raise ParseError(SOURCE, f"no usable line for {', '.join(missing)}", text)
    scale = integer(values["scale"], SOURCE, 1, 1_000_000)
    return Battery(
        ac_powered=boolean(values["AC powered"], SOURCE),
        usb_powered=boolean(values["USB powered"], SOURCE),
        wireless_powered=_flag(values, "Wireless powered"),
        dock_powered=_flag(values, "Dock powered"),
        status=BatteryStatus(integer(values["status"], SOURCE, 1, 5)),
        health=_health(values),
        present=boolean(values["present"], SOURCE),
        level=integer(values["level"], SOURCE, 0, scale),
        scale=scale,
        voltage_mv=_voltage_mv(values),
        temperature_dc=_number(values, "temperature", -500, 1500),
        technology=values.get("technology"),
        max_charging_current_ua=_number(values, "Max charging current"),
        max_charging_voltage_uv=_number(values, "Max charging voltage"),
        # 0 is what emulators print, whose battery is made up: a phone that runs has some charge.
        charge_counter_uah=_number(values, "Charge counter") or None,
        current_now_ma=_current_ma(values),
        updates_stopped=updates_stopped,
    )


def _values(text: str) -> tuple[dict[str, str], bool]:
    lines = lines_of(text)
    try:
        start = next(n for n, line in enumerate(lines) if line.strip() == _HEADER) + 1
    except StopIteration:
        raise ParseError(SOURCE, f"no line {_HEADER!r}", text) from None
    stopped = start < len(lines) and lines[start].lstrip().startswith("(UPDATES STOPPED")
    values: dict[str, str] = {}
    for key, value in _block(lines[start:], values):
        wanted = value in ("true", "false") if key in _FLAGS else is_integer(value)
        if key not in values and (wanted or key == "technology"):
            values[key] = value
    return values, stopped


def _block(lines: list[str], seen: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the keys and values of the block that *lines* begin with."""
    for line in lines:
        if not line.startswith(" "):
            # Prose may interrupt the block; a new block or a log ends it.
            opens = line.startswith(("[", "Current ")) or line.rstrip().endswith(":")
            if opens or seen.keys() >= _ALL:
                return
        match = _LINE.fullmatch(line.rstrip())
        if match is not None:
            yield match[1], match[2].strip()


def _flag(values: dict[str, str], key: str) -> bool | None:
    return boolean(values[key], SOURCE) if key in values else None


def _number(
    values: dict[str, str], key: str, low: int = -INT64_MAX, high: int = INT64_MAX
) -> int | None:
    return integer(values[key], SOURCE, low, high) if key in values else None


def _health(values: dict[str, str]) -> BatteryHealth | None:
    number = _number(values, "health", 1, 7)
    return None if number is None else BatteryHealth(number)


def _voltage_mv(values: dict[str, str]) -> int | None:
    value = _number(values, "voltage")
    # 0 is what emulators and absent batteries give; some phones print volts or microvolts.
    if value is not None and value != 0 and not 1_000 <= value <= 20_000:
        raise ParseError(SOURCE, f"voltage {value} is not in millivolts")
    return value


def _current_ma(values: dict[str, str]) -> int | None:
    current = _number(values, "current now")
    if current is None or abs(current) > _CURRENT_MA_MAX:
        return None
    return current
