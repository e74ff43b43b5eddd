"""``/sys/class/power_supply/battery/uevent``: the battery as the kernel's driver sees it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of

SOURCE = "power_supply"
_LINE = re.compile(r"POWER_SUPPLY_([A-Z0-9_]+)=(.*)")
_STATUSES = ("Unknown", "Charging", "Discharging", "Not charging", "Full")
# Drivers must give uA and uV; some give mA and mV. No phone's battery has less than 0.5 V or more
# than 20 V, and none carries more than 10 A.
_VOLTAGE_UV = range(500_000, 20_000_001)
_VOLTAGE_MV = range(500, 20_001)
_MA_MAX = 10_000


@dataclass(frozen=True)
class PowerSupply:
    """A battery's driver; None where it does not say.

    Attributes:
        status: ``Unknown``, ``Charging``, ``Discharging``, ``Not charging`` or ``Full``.
        current_ua: magnitude of the current; its sign differs between vendors, so *status* alone
            tells the direction. None also where the unit cannot be told.
        charge_counter_uah: charge left, where the vendor means that.
        temperature_dc: tenths of a degree Celsius.
    """

    status: str
    capacity_percent: int | None
    voltage_uv: int | None
    current_ua: int | None
    charge_counter_uah: int | None
    charge_full_uah: int | None
    temperature_dc: int | None

    @property
    def drain_uw(self) -> int | None:
        """Power that leaves the battery, microwatts; None while it charges or where not told."""
        if self.status != "Discharging" or self.voltage_uv is None or self.current_ua is None:
            return None
        return self.voltage_uv * self.current_ua // 1_000_000


def parse_uevent(text: str) -> PowerSupply:
    """Return the battery in *text*, the driver's file ``uevent``.

    Raises:
        ParseError: a line has another form, there is no status, or the voltage has no unit.
    """
    values: dict[str, str] = {}
    for line in lines_of(text):
        if not line.strip() or line.startswith("DEVTYPE="):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match[1] in values:
            raise ParseError(SOURCE, "not a line of a power supply", line)
        values[match[1]] = match[2].strip()
    return power_supply(values)


def power_supply(values: Mapping[str, str]) -> PowerSupply:
    """Return the battery that *values* describe, keyed as in ``uevent`` (``VOLTAGE_NOW``).

    Raises:
        ParseError: there is no status, a value is no number, or the voltage is none of a phone.
    """
    status = values.get("STATUS")
    if status not in _STATUSES:
        raise ParseError(SOURCE, "no known status", status or "")
    voltage_uv = _voltage_uv(_number(values, "VOLTAGE_NOW"))
    return PowerSupply(
        status=status,
        capacity_percent=_number(values, "CAPACITY", 0, 100),
        voltage_uv=voltage_uv,
        current_ua=_current_ua(_number(values, "CURRENT_NOW"), values),
        # 0 is what emulators print, whose battery is made up: a phone that runs has some charge.
        charge_counter_uah=_number(values, "CHARGE_COUNTER") or None,
        charge_full_uah=_number(values, "CHARGE_FULL", 0) or None,
        temperature_dc=_number(values, "TEMP", -500, 1500),
    )


def _number(
    values: Mapping[str, str], key: str, low: int = -(2**62), high: int = 2**62
) -> int | None:
    return integer(values[key], f"{SOURCE} {key}", low, high) if values.get(key) else None


def _voltage_uv(value: int | None) -> int | None:
    if value is None or value == 0:
        return None
    if value in _VOLTAGE_UV:
        return value
    if value in _VOLTAGE_MV:
        return value * 1000
    raise ParseError(SOURCE, f"VOLTAGE_NOW {value} is neither microvolts nor millivolts")


def _current_ua(value: int | None, values: Mapping[str, str]) -> int | None:
    """Return the magnitude of the current, None where its unit cannot be told.

    Drivers that give mV give mA too; of the others some give uA, and some mA all the same.
    """
    if value is None or value == 0:
        return value
    size = abs(value)
    if int(values.get("VOLTAGE_NOW") or 0) in _VOLTAGE_MV:
        return size * 1000 if size <= _MA_MAX else None
    return size if _MA_MAX < size <= _MA_MAX * 1000 else None
