"""A frontier: what several tables or variants were measured to take and to give, and the best.

A frontier file holds a JSON line each: ``name``, ``bytes``, ``peak_ram_bytes``, ``latency_s`` and
``value`` (a figure of merit, higher is better), and whatever else was measured. ``make frontier``
writes such lines.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import UsageError
from droidloop.platform.reading import bounded

MAX_FILE_BYTES = 1 << 24
_LIMIT = 2.0**62
_FIGURES = ("bytes", "peak_ram_bytes", "latency_s", "value")


@dataclass(frozen=True)
class Measured:
    """A line of a frontier.

    Attributes:
        name: of the table or variant.
        budget: in words; empty: none was given.
        nbytes: that ship.
        ram_bytes: the most memory of a list.
        latency_s: of a list.
        value: its quality, higher is better.
    """

    name: str
    budget: str
    nbytes: int
    ram_bytes: int
    latency_s: float
    value: float


def read_frontier(path: Path) -> list[Measured]:
    """Return the lines of *path*, those left out that say why they are ``out_of_reach``.

    Raises:
        UsageError: it cannot be read, holds none, or a line lacks a figure.
    """
    try:
        texts = bounded(path, MAX_FILE_BYTES, UsageError).decode().splitlines()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path}: cannot be read: {reason}; give a frontier file") from error
    lines = [_line(path, k, text) for k, text in enumerate(texts, 1) if text.strip()]
    found = [one for one in lines if one is not None]
    if not found:
        raise UsageError(f"{path}: no line with figures; write one with `make frontier`")
    return found


def _line(path: Path, number: int, text: str) -> Measured | None:
    """Return the line *text*, or None where it tells that nothing was measured."""
    where = f"{path}:{number}"
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{where}: not JSON ({error}); one object a line") from error
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        raise UsageError(f"{where}: name is missing; each line names a table or a variant")
    if "out_of_reach" in told:
        return None
    figures = [_figure(where, told, key) for key in _FIGURES]
    nbytes, ram_bytes, latency_s, value = figures
    budget = str(told.get("budget", ""))
    return Measured(told["name"], budget, int(nbytes), int(ram_bytes), latency_s, value)


def _figure(where: str, told: dict[str, Any], key: str) -> float:
    """Return the figure *key*: finite, and not negative but for the value."""
    value = told.get(key)
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not -_LIMIT < value < _LIMIT  # NaN is not, either
    ):
        raise UsageError(f"{where}: {key} = {value!r} is no number; measure it again")
    if key != "value" and value < 0:
        raise UsageError(f"{where}: {key} = {value!r} is no amount; measure it again")
    return float(value)


def frontier(lines: Sequence[Measured]) -> list[Measured]:
    """Return those of *lines* that no other beats in bytes, memory and latency with equal value."""

    def asks(one: Measured) -> tuple[float, ...]:
        return (one.nbytes, one.ram_bytes, one.latency_s, -one.value)

    def beaten(one: Measured) -> bool:
        return any(
            asks(other) != asks(one)
            and all(a <= b for a, b in zip(asks(other), asks(one), strict=True))
            for other in lines
        )

    return [one for one in lines if not beaten(one)]


def best_within(
    lines: Sequence[Measured],
    ram_bytes: IntArray,
    *,
    nbytes: int | None = None,
    latency_s: float | None = None,
) -> IntArray:
    """Return for each phone of so much free memory the place of the best line, -1: none fits.

    Of equal values the one of fewer bytes; *nbytes* and *latency_s* bound what all may take.
    """
    order = sorted(range(len(lines)), key=lambda k: (-lines[k].value, lines[k].nbytes))
    best = np.full(len(ram_bytes), -1, np.int64)
    for k in order:
        one = lines[k]
        if nbytes is not None and one.nbytes > nbytes:
            continue
        if latency_s is not None and one.latency_s > latency_s:
            continue
        best = np.where((best < 0) & (one.ram_bytes <= np.asarray(ram_bytes)), k, best)
    return best


def by_value(variants: Sequence[str], lines: Sequence[Measured], path: Path) -> tuple[str, ...]:
    """Return *variants*, the best of the lines of these names first.

    Raises:
        UsageError: *lines*, of *path*, do not measure one of them.
    """
    values: dict[str, float] = {}
    for one in lines:
        values[one.name] = max(one.value, values.get(one.name, one.value))
    for variant in variants:
        if variant not in values:
            raise UsageError(f"{path}: no line is named {variant!r}; measure that variant, too")
    return tuple(sorted(variants, key=lambda variant: -values[variant]))
