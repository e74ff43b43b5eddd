"""The few ways in which the parsers look at text: lines, bounded numbers."""

import math
import re

from droidloop.devices.android.errors import ParseError

INT64_MAX = 2**63 - 1

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_REAL = re.compile(r"[+-]?[0-9]{1,19}(\.[0-9]{0,30})?([eE][+-]?[0-9]{1,3})?")


def lines_of(text: str) -> list[str]:
    """Return the lines of *text*; only LF ends one, and CRs before it are dropped.

    ``str.splitlines`` would also split at separators that a device's name may contain.
    """
    return [line.rstrip("\r") for line in text.split("\n")]


def is_integer(text: str) -> bool:
    """Whether *text* is a decimal integer in ASCII."""
    return _INTEGER.fullmatch(text) is not None


def integer(text: str, source: str, low: int = -INT64_MAX, high: int = INT64_MAX) -> int:
    """Return the decimal integer *text*.

    Raises:
        ParseError: it is none, or not in *low*..*high*.
    """
    if not is_integer(text):
        raise ParseError(source, "not an integer", text)
    value = int(text)
    if not low <= value <= high:
        raise ParseError(source, f"{value} is not in {low}..{high}")
    return value


def real(text: str, source: str) -> float:
    """Return the number *text*, decimal or like ``2.95e+06``.

    Raises:
        ParseError: it is none, or not finite.
    """
    if _REAL.fullmatch(text) is None:
        raise ParseError(source, "not a number", text)
    value = float(text)
    if not math.isfinite(value):
        raise ParseError(source, "not a finite number", text)
    return value


def boolean(text: str, source: str) -> bool:
    """Return the value of ``true`` or ``false``.

    Raises:
        ParseError: it is neither.
    """
    if text not in ("true", "false"):
        raise ParseError(source, "neither true nor false", text)
    return text == "true"
