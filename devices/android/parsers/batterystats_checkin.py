"""``dumpsys batterystats --checkin``: the same facts as comma-separated lines."""

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import INT64_MAX, integer, is_integer, lines_of, real

SOURCE = "dumpsys batterystats --checkin"
_LINE = re.compile(r"[0-9]{1,4},(?:h|hsp|[0-9]+),.*")
_EVENT = re.compile(r"([0-9]{1,18}):([A-Z*][A-Z*:_]*?)(?::([0-9]{1,18}))?")
_STATUS = {"?": "unknown", "c": "charging", "d": "discharging", "n": "not-charging", "f": "full"}


@dataclass(frozen=True)
class CheckinPoint:
    """One line of the history; None where it says nothing new.

    Attributes:
        time_ms: since the first line. Lines carry differences; the clock of the day is no part
            of it, since it may be set later.
        event: ``START``, ``SHUTDOWN``, ``TIME``, ``RESET:TIME``, or another.
        clock_ms: the clock of the day at a ``TIME`` event.
        codes: the changes as written, such as ``+S`` or ``Wsp=scan``.
    """

    time_ms: int
    level: int | None = None
    status: str | None = None
    temperature_dc: int | None = None
    voltage_mv: int | None = None
    event: str | None = None
    clock_ms: int | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class BatteryStatsCheckin:
    """The lines of a checkin that droidloop uses; None where the dump does not say.

    Attributes:
        capacity_mah: of the battery, from the phone's power profile. An emulator has none and
            prints 0, here too for the use that would follow from it: both are None then.
        computed_drain_mah: modelled use since the last charge: never a measurement.
        uid_mah: the same by numeric user id.
        screen_on_ms: time with the screen on since the last charge.
    """

    checkin_version: int
    report_version: int | None
    parcel_version: int | None
    start_build: str | None
    end_build: str | None
    points: tuple[CheckinPoint, ...]
    capacity_mah: float | None
    computed_drain_mah: float | None
    uid_mah: Mapping[int, float]
    screen_on_ms: int | None

    @property
    def reset_time_ms(self) -> int | None:
        """The clock of the day when the statistics were reset, milliseconds."""
        return next((p.clock_ms for p in self.points if p.event == "RESET:TIME"), None)


def parse_batterystats_checkin(text: str) -> BatteryStatsCheckin:
    """Return the history and the modelled use in *text*.

    Raises:
        ParseError: there is no checkin line, their version changes, or a value is impossible.
    """
    rows = [_fields(line) for line in lines_of(text) if _LINE.fullmatch(line)]
    if not rows:
        raise ParseError(SOURCE, "no checkin line", text)
    versions = {row[0] for row in rows}
    if len(versions) != 1:
        raise ParseError(SOURCE, f"versions {', '.join(sorted(versions))} in one dump")
    version = _last(rows, "i", "vers", 8) or []
    power = _last(rows, "l", "pws", 6)
    screen = _last(rows, "l", "m", 5)
    capacity_mah = (real(power[4], SOURCE) if power else 0.0) or None
    return BatteryStatsCheckin(
        checkin_version=integer(rows[0][0], SOURCE),
        report_version=integer(version[4], SOURCE, 0) if version else None,
        parcel_version=integer(version[5], SOURCE, 0) if version else None,
        start_build=version[6] if version else None,
        end_build=version[7] if version else None,
        points=_points(rows),
        capacity_mah=capacity_mah,
        computed_drain_mah=real(power[5], SOURCE) if power and capacity_mah else None,
        uid_mah=_uids(rows) if capacity_mah else {},
        screen_on_ms=integer(screen[4], SOURCE, 0) if screen else None,
    )


def _fields(line: str) -> list[str]:
    # Names in quotes may hold commas; everything else has no quotes.
    if '"' not in line:
        return line.split(",")
    try:
        return next(csv.reader([line], escapechar="\\"))
    except csv.Error as error:
        raise ParseError(SOURCE, str(error), line) from error


def _last(rows: list[list[str]], kind: str, section: str, length: int) -> list[str] | None:
    """Return the last line of *section*: some Androids print one twice, the later one complete."""
    found = [row for row in rows if row[2:4] == [kind, section]]
    if found and len(found[-1]) < length:
        raise ParseError(SOURCE, f"{section} is too short", ",".join(found[-1]))
    return found[-1] if found else None


def _uids(rows: list[list[str]]) -> Mapping[int, float]:
    uids: dict[int, float] = {}
    for row in rows:
        if row[2:5] == ["l", "pwi", "uid"] and len(row) > 5:
            uids[integer(row[1], SOURCE, 0)] = real(row[5], SOURCE)
    return uids


def _points(rows: list[list[str]]) -> tuple[CheckinPoint, ...]:
    points = []
    time_ms = 0
    for row in rows:
        if row[1] != "h":
            continue
        event = _EVENT.fullmatch(row[2])
        delta = event[1] if event is not None else row[2]
        time_ms += integer(delta, f"{SOURCE} time", 0, INT64_MAX // 2 - time_ms)
        if event is not None:
            clock_ms = int(event[3]) if event[3] else None
            points.append(CheckinPoint(time_ms, event=event[2], clock_ms=clock_ms))
        else:
            points.append(_state(time_ms, tuple(code for code in row[3:] if code)))
    return tuple(points)


def _state(time_ms: int, codes: tuple[str, ...]) -> CheckinPoint:
    values = dict(code.split("=", 1) for code in codes if "=" in code)
    status = values.get("Bs")
    if status is not None and status not in _STATUS:
        raise ParseError(SOURCE, "an unknown status of the battery", status)
    return CheckinPoint(
        time_ms,
        level=_number(values, "Bl", 0, 100),
        status=_STATUS[status] if status is not None else None,
        temperature_dc=_number(values, "Bt", -500, 1500),
        voltage_mv=_number(values, "Bv", 0, 20_000),
        codes=codes,
    )


def _number(values: Mapping[str, str], key: str, low: int, high: int) -> int | None:
    if key not in values:
        return None
    if not is_integer(values[key]):
        raise ParseError(SOURCE, f"{key} is no number", values[key])
    return integer(values[key], f"{SOURCE} {key}", low, high)
