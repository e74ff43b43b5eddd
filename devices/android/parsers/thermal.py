"""``dumpsys thermalservice`` (Android 10 and later): temperatures and throttling."""

import re
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import integer, lines_of, real

SOURCE = "dumpsys thermalservice"
_STATUS = re.compile(r"Thermal Status: (\S+)")
_TEMPERATURE = re.compile(
    r"\s*Temperature\{mValue=([^,]+), mType=([^,]+), mName=(.*), mStatus=([^,}]+)\}"
)
_HAL = "Current temperatures from HAL:"
_CACHED = "Cached temperatures:"


@dataclass(frozen=True)
class Temperature:
    """One sensor.

    Attributes:
        kind: its type in ``android.os.Temperature``: 0 CPU, 2 battery, 3 skin.
        severity: 0 (none) to 6 (shutdown).
    """

    name: str
    kind: int
    celsius: float
    severity: int


@dataclass(frozen=True)
class Thermal:
    """The thermal state of a device; *status* is 0 (none) to 6 (shutdown)."""

    status: int
    temperatures: tuple[Temperature, ...]


def parse_thermal(text: str) -> Thermal:
    """Return the state in *text*, from the HAL's list where it has one, else from the cached list.

    A sensor that gives exactly 0, no number, or what is no temperature of a phone is absent.

    Raises:
        ParseError: there is no status, or a line of a sensor has another form.
    """
    statuses: list[str] = []
    lists: dict[str, list[Temperature]] = {_HAL: [], _CACHED: []}
    current: list[Temperature] | None = None
    for line in lines_of(text):
        status = _STATUS.fullmatch(line.strip())
        if status is not None:
            statuses.append(status[1])
        elif line.strip() in lists:
            current = lists[line.strip()]
        elif line and not line[0].isspace():
            current = None
        elif current is not None and line.strip():
            sensor = _sensor(line)
            if sensor is not None:
                current.append(sensor)
    if len(statuses) != 1:
        raise ParseError(SOURCE, f"{len(statuses)} lines 'Thermal Status'", text)
    return Thermal(integer(statuses[0], SOURCE, 0, 6), tuple(lists[_HAL] or lists[_CACHED]))


def _sensor(line: str) -> Temperature | None:
    match = _TEMPERATURE.fullmatch(line.rstrip())
    if match is None:
        raise ParseError(SOURCE, "not a temperature", line)
    number, name = integer(match[2], SOURCE), match[3]
    severity = integer(match[4], SOURCE, -1, 6)
    value = 0.0 if match[1] == "NaN" else real(match[1], SOURCE)
    if value == 0.0 or not -60 <= value <= 200:
        return None
    return Temperature(name, number, value, severity)
