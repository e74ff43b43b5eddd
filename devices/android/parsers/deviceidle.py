"""``dumpsys deviceidle``: doze, its settings and its state."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from droidloop.devices.android.errors import ParseError

from .text import boolean, duration_ms, lines_of

SOURCE = "dumpsys deviceidle"
_SETTING = re.compile(r"\s+([a-z][a-z0-9_]*)=(\S+)")
_STATE = re.compile(r"(?<!\S)(m[A-Za-z]+)=(\S+)")
_NAMES = {"ACTIVE", "INACTIVE", "IDLE_PENDING", "SENSING", "LOCATING", "IDLE", "IDLE_MAINTENANCE"}
_NAMES |= {"PRE_IDLE", "WAITING_FOR_NETWORK", "OVERRIDE", "QUICK_DOZE_DELAY"}


@dataclass(frozen=True)
class DeviceIdle:
    """Doze on a device; None where the dump does not say.

    Attributes:
        settings_ms: the durations of the ``Settings:`` block by name, milliseconds.
        deep: state of deep doze, such as ``ACTIVE`` or ``IDLE_MAINTENANCE``.
        light: state of light doze.
    """

    settings_ms: Mapping[str, int]
    deep: str | None
    light: str | None
    screen_on: bool | None
    charging: bool | None
    forced: bool | None


def parse_deviceidle(text: str) -> DeviceIdle:
    """Return the durations and states in *text*.

    Raises:
        ParseError: there is neither a settings block nor a state, or a value is not understood.
    """
    settings_ms: dict[str, int] = {}
    states: dict[str, str] = {}
    inside = seen = False
    for line in lines_of(text):
        if line.strip() == "Settings:":
            inside = seen = True
        elif inside and (match := _SETTING.fullmatch(line.rstrip())) is not None:
            # Durations carry a sign; factors (2.0) and distances (20.0m) do not.
            if match[2].startswith(("+", "-")) or (match[2] == "0" and match[1].endswith("_to")):
                settings_ms[match[1]] = duration_ms(match[2], SOURCE)
        else:
            inside = False
            for key, value in _STATE.findall(line):
                states.setdefault(key, value)
    if not seen and "mState" not in states:
        raise ParseError(SOURCE, "neither settings nor a state", text)
    return DeviceIdle(
        settings_ms,
        deep=_name(states, "mState"),
        light=_name(states, "mLightState"),
        screen_on=_flag(states, "mScreenOn"),
        charging=_flag(states, "mCharging"),
        forced=_flag(states, "mForceIdle"),
    )


def _name(states: Mapping[str, str], key: str) -> str | None:
    name = states.get(key)
    if name is not None and name not in _NAMES:
        raise ParseError(SOURCE, f"{key} is unknown", name)
    return name


def _flag(states: Mapping[str, str], key: str) -> bool | None:
    return boolean(states[key], SOURCE) if key in states else None
