"""``dumpsys batterystats``: the history of the battery and the modelled use, as text for people."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import duration_ms, integer, lines_of, real

SOURCE = "dumpsys batterystats"
_HEADER = re.compile(r"Battery History\b.*:")
_ENTRY = re.compile(r"\s+([+-](?:[0-9]+(?:d|h|m|s|ms))+|0)\s+(?:\([0-9]+\)\s+)?(\S.*)")
_LEVEL = re.compile(r"([0-9]{3})(?:\s+(.*))?")
_VALUE = re.compile(r"(?<!\S)([a-z_]+)=(\S+)")
_RESET = re.compile(r"RESET:TIME: (\S+)")
_POWER = re.compile(r"\s+Capacity: ([0-9.]+), Computed drain: ([0-9.]+), actual drain: (.*)")
_UID = re.compile(r"\s+(?:Uid|UID) (\w+): ([0-9.]+)(?:\s.*)?")


@dataclass(frozen=True)
class BatteryPoint:
    """One entry of the history; None where it says nothing new.

    Attributes:
        time_ms: since the reset; before now, and negative, up to Android 4.4.
        event: what the entry says if it is not a state of the battery.
    """

    time_ms: int
    level: int | None = None
    status: str | None = None
    temperature_dc: int | None = None
    voltage_mv: int | None = None
    event: str | None = None


@dataclass(frozen=True)
class EstimatedPower:
    """What Android models with its power profile: never a measurement.

    Attributes:
        uid_mah: charge by user id (``u0a44``).
    """

    capacity_mah: float
    computed_drain_mah: float
    uid_mah: Mapping[str, float]


@dataclass(frozen=True)
class BatteryStats:
    """The history and, where the dump holds it, the modelled use."""

    reset_time: str | None
    points: tuple[BatteryPoint, ...]
    power: EstimatedPower | None

    @property
    def levels(self) -> tuple[int, ...]:
        """The charge levels in the order of the history, percent."""
        return tuple(p.level for p in self.points if p.level is not None)


def parse_batterystats(text: str) -> BatteryStats:
    """Return the history and the modelled use in *text*.

    Raises:
        ParseError: there is neither, or a state in it is impossible.
    """
    reset_time: str | None = None
    points = []
    for time, rest in _history(text):
        time_ms = duration_ms(time, SOURCE)
        reset = _RESET.fullmatch(rest)
        if reset is not None:
            reset_time = reset[1]
        points.append(_point(time_ms, rest))
    power = _power(text)
    if not points and power is None:
        raise ParseError(SOURCE, "neither a history nor a use of power", text)
    return BatteryStats(reset_time, tuple(points), power)


def _history(text: str) -> Iterator[tuple[str, str]]:
    inside = False
    for line in lines_of(text):
        if _HEADER.fullmatch(line.rstrip()) is not None:
            inside = True
        elif not line.strip() or not line[0].isspace():
            inside = False
        elif inside and (match := _ENTRY.fullmatch(line)) is not None:
            # Details of an entry (cpu, /proc/stat) follow it on lines without a time.
            yield match[1], match[2]


def _point(time_ms: int, rest: str) -> BatteryPoint:
    level = _LEVEL.fullmatch(rest)
    if level is None:
        return BatteryPoint(time_ms, event=rest)
    values = dict(_VALUE.findall(level[2] or ""))
    return BatteryPoint(
        time_ms,
        level=integer(level[1], SOURCE, 0, 100),
        status=values.get("status"),
        temperature_dc=_number(values, "temp", -500, 1500),
        voltage_mv=_number(values, "volt", 0, 20_000),
    )


def _number(values: Mapping[str, str], key: str, low: int, high: int) -> int | None:
    return integer(values[key], f"{SOURCE} {key}", low, high) if key in values else None


def _power(text: str) -> EstimatedPower | None:
    heads = [m for line in lines_of(text) if (m := _POWER.fullmatch(line))]
    if not heads:
        return None
    uids: dict[str, float] = {}
    inside = False
    for line in lines_of(text):
        if line.strip().startswith("Estimated power use (mAh)"):
            inside = True
        elif not line.strip():
            inside = False
        elif inside and (match := _UID.fullmatch(line)) is not None:
            uids.setdefault(match[1], real(match[2], SOURCE))
    return EstimatedPower(real(heads[0][1], SOURCE), real(heads[0][2], SOURCE), uids)
