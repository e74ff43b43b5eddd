"""Link traces of four formats as series of bytes per second: a user's own, or published ones.

=================  ==================================================================  ==========
format             content                                                             file name
=================  ==================================================================  ==========
CSV                ``t_s,bytes_per_s``; a rate holds until the next line               ``.csv``
G-NetTrack CSV     ``Timestamp``, ``DL_bitrate``, ``UL_bitrate`` in kbit/s             ``.csv``
Sabre JSON         a list of ``duration_ms`` and ``bandwidth_kbps``                    ``.json``
mahimahi           a millisecond a line: 1500 bytes may pass; ``.up`` beside ``.down``  any other
=================  ==================================================================  ==========

Each may be compressed (``.gz``). A series spans whole seconds (its last rate holds up to there), so
that playback with offsets of whole seconds is exact to the byte.
"""

import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.errors import DataError
from droidloop.platform.units import SECOND_US

from .trace import Series

MAHIMAHI_BYTES = 1500
"""What one line of a mahimahi trace lets pass."""

MAX_FILE_BYTES = 1 << 28
MAX_RATE = 10**11
MAX_SPAN_S = 400 * 86_400
MAX_CLOCK_STEP_S = 5

_KBIT = 125


@dataclass(frozen=True)
class LinkTrace:
    """A recorded link: rates in bytes per second down, and up where they were recorded."""

    name: str
    down: Series
    up: Series | None = None


def read_traces(path: Path, *, step_ms: int = 1000) -> list[LinkTrace]:
    """Read one trace, or all traces of a folder in order of name.

    mahimahi traces become rates per *step_ms*, a divisor of 1000. Play steps of a second to phones:
    a rate of 0 is a gap there, and at 1 ms most of a good link is gaps.

    Raises:
        DataError: a file is missing, empty, too large or not of a known format.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder of link traces")
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _kind(file) in _READERS)
    if not files:
        raise DataError(f"{path}: no link trace in this folder; known are {', '.join(_READERS)}")
    if len(files) > 1:
        downs = {_bare(file) for file in files if _kind(file) == ".down"}
        files = [file for file in files if not (_kind(file) == ".up" and _bare(file) in downs)]
    return [read_trace(file, step_ms=step_ms) for file in files]


def read_trace(file: Path, *, step_ms: int = 1000) -> LinkTrace:
    """Read one link trace; see :func:`read_traces`."""
    if step_ms < 1 or 1000 % step_ms:
        raise ValueError(f"step_ms must divide 1000, not {step_ms}")
    reader = _READERS.get(_kind(file), _mahimahi)
    name = _bare(file)
    down, up = reader(file, read_text(file), step_ms)
    if _kind(file) == ".down":
        partner = file.with_name(file.name.replace(".down", ".up"))
        up = _mahimahi(partner, read_text(partner), step_ms)[0] if partner.exists() else None
    return LinkTrace(name, down, up)


def _kind(file: Path) -> str:
    """Return what a file's name ends in, compression left out."""
    suffixes = [suffix for suffix in file.suffixes if suffix != ".gz"]
    return suffixes[-1] if suffixes else ""


def _bare(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(_kind(file))


def read_text(file: Path) -> str:
    """Return a file's text, unpacked, up to a bound."""
    opener: Callable[..., Any] = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rb") as stream:
            content: bytes = stream.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{file}: cannot be read ({error})") from error
    if len(content) > MAX_FILE_BYTES:
        raise DataError(f"{file}: longer than {MAX_FILE_BYTES >> 20} MiB unpacked; cut it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{file}: not a text file ({error.reason})") from error


def _series(file: Path, times_us: IntArray, rates: IntArray, end_us: int) -> Series:
    """Return the series of *rates* that holds its last one up to *end_us*, in whole seconds."""
    span_us = -(-max(end_us, int(times_us[-1]) + 1) // SECOND_US) * SECOND_US
    if span_us > MAX_SPAN_S * SECOND_US:
        raise DataError(f"{file}: longer than {MAX_SPAN_S // 86_400} days; cut it")
    if rates.min() < 0 or rates.max() > MAX_RATE:
        raise DataError(f"{file}: rates must lie in 0..{MAX_RATE} bytes/s")
    if not rates.any():
        raise DataError(f"{file}: the rate must not be 0 throughout; nothing would ever arrive")
    return Series(times_us, rates, span_us)


def _numbers(file: Path, cells: list[Any], what: str) -> Any:
    """Return *cells* as finite float64, or name the first that is none."""
    try:
        values = np.array(cells, np.float64)
    except (TypeError, ValueError, OverflowError):
        values = np.full(len(cells), np.nan)
        for k, cell in enumerate(cells):
            try:
                values[k] = float(cell)
            except (TypeError, ValueError, OverflowError):
                break
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise DataError(f"{file}: record {bad[0] + 1}: {what} must be a number: {cells[bad[0]]!r}")
    if np.abs(values).max(initial=0) > MAX_RATE:
        raise DataError(f"{file}: {what} must not pass {MAX_RATE}")
    return values


def _table(file: Path, text: str) -> tuple[Series, Series | None]:
    try:
        first, *rows = [*csv.reader(io.StringIO(text))] or [[]]
    except (csv.Error, ValueError) as error:
        raise DataError(f"{file}: not a CSV file with a header ({error})") from error
    header = [name.strip() for name in first]
    if "DL_bitrate" in header:
        return _gnettrack(file, header, rows)
    if not {"t_s", "bytes_per_s"} <= set(header):
        raise DataError(
            f"{file}: the first line must name the columns t_s,bytes_per_s"
            " (or those of G-NetTrack: Timestamp, DL_bitrate, UL_bitrate)"
        )
    records = [row for row in rows if row]
    if not records:
        raise DataError(f"{file}: needs at least one line after the header")
    times = _numbers(file, _column(file, header, records, "t_s"), "t_s")
    rates = _numbers(file, _column(file, header, records, "bytes_per_s"), "bytes_per_s")
    times_us = np.rint(times * SECOND_US).astype(np.int64)
    if times_us[0] != 0 or (np.diff(times_us) <= 0).any():
        raise DataError(f"{file}: t_s must rise from 0")
    last_us = int(times_us[-1] - times_us[-2]) if len(times_us) > 1 else SECOND_US
    return _series(file, times_us, rates.astype(np.int64), int(times_us[-1]) + last_us), None


def _column(file: Path, header: list[str], records: list[list[str]], name: str) -> list[str]:
    place = header.index(name)
    short = next((k for k, row in enumerate(records) if len(row) <= place), None)
    if short is not None:
        raise DataError(f"{file}: record {short + 1} has no {name}")
    return [row[place] for row in records]


def _gnettrack(
    file: Path, header: list[str], rows: list[list[str]]
) -> tuple[Series, Series | None]:
    """Read one row a second; rows of one second are averaged, a missing second repeats the last."""
    records = [row for row in rows if row]
    if "Timestamp" not in header or not records:
        raise DataError(f"{file}: a G-NetTrack log needs a column Timestamp and at least one row")
    seconds = _timestamps(file, _column(file, header, records, "Timestamp"))
    named, place, count = np.unique(seconds, return_inverse=True, return_counts=True)
    times_us = named * SECOND_US
    end_us = int(times_us[-1]) + SECOND_US

    def rates(name: str) -> IntArray:
        kbps = _numbers(file, _column(file, header, records, name), name)
        sums = np.zeros(len(named), np.int64)
        np.add.at(sums, place, np.rint(kbps * _KBIT).astype(np.int64))
        return sums // count

    down = _series(file, times_us, rates("DL_bitrate"), end_us)
    up = rates("UL_bitrate") if "UL_bitrate" in header else None
    if up is None or not up.any():
        return down, None
    return down, _series(file, times_us, up, end_us)


def _timestamps(file: Path, cells: list[str]) -> IntArray:
    """Return seconds since the first of *cells*, which read ``2019.12.01_12.11.21``."""
    times = []
    for k, cell in enumerate(cells):
        try:
            times.append(datetime.strptime(cell.strip(), "%Y.%m.%d_%H.%M.%S"))
        except ValueError as error:
            raise DataError(
                f"{file}: record {k + 1}: Timestamp must read like 2019.12.01_12.11.21: {cell!r}"
            ) from error
    seconds = np.array([round((time - times[0]).total_seconds()) for time in times], np.int64)
    if (np.diff(seconds) < -MAX_CLOCK_STEP_S).any():
        raise DataError(f"{file}: Timestamp must not fall by more than {MAX_CLOCK_STEP_S} s")
    # a phone's clock is set back now and then: such a row joins the second that it names
    return np.maximum(seconds, 0)


def _sabre(file: Path, text: str) -> tuple[Series, Series | None]:
    try:
        records = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{file}: not JSON ({error})") from error
    if not isinstance(records, list) or not records:
        raise DataError(f"{file}: must be a list of duration_ms and bandwidth_kbps")
    for k, record in enumerate(records):
        if not isinstance(record, dict) or not {"duration_ms", "bandwidth_kbps"} <= set(record):
            raise DataError(f"{file}: record {k + 1} lacks duration_ms or bandwidth_kbps")
    spans = _numbers(file, [record["duration_ms"] for record in records], "duration_ms")
    kbps = _numbers(file, [record["bandwidth_kbps"] for record in records], "bandwidth_kbps")
    spans_us = np.rint(spans * 1000).astype(np.int64)
    if (spans_us < 0).any() or not spans_us.any():
        raise DataError(f"{file}: duration_ms must not be negative, and not 0 throughout")
    ends_us = np.cumsum(spans_us)
    lasting = spans_us > 0
    rates = np.rint(kbps * _KBIT).astype(np.int64)
    times_us = (ends_us - spans_us)[lasting]
    return _series(file, times_us, rates[lasting], int(ends_us[-1])), None


def _mahimahi(file: Path, text: str, step_ms: int) -> tuple[Series, Series | None]:
    cells = text.split()
    if not cells:
        raise DataError(f"{file}: needs at least one line: the millisecond of an opportunity")
    times_ms = _numbers(file, cells, "a mahimahi line").astype(np.int64)
    if times_ms[0] < 0 or (np.diff(times_ms) < 0).any():
        raise DataError(
            f"{file}: the milliseconds of a mahimahi trace must not be negative or fall"
        )
    span_s = int(times_ms[-1]) // 1000 + 1
    if span_s > MAX_SPAN_S:
        raise DataError(f"{file}: longer than {MAX_SPAN_S // 86_400} days; cut it")
    steps, counts = np.unique(times_ms // step_ms, return_counts=True)
    # each step with opportunities, and the one after it: most steps of a millisecond are empty
    edges = np.unique(np.concatenate([[0], steps, steps + 1]))
    rates = np.zeros(len(edges), np.int64)
    rates[np.searchsorted(edges, steps)] = counts * MAHIMAHI_BYTES * (1000 // step_ms)
    inside = edges * step_ms < span_s * 1000
    times_us = edges[inside] * step_ms * 1000
    return _series(file, times_us, rates[inside], span_s * SECOND_US), None


_READERS: dict[str, Callable[[Path, str, int], tuple[Series, Series | None]]] = {
    ".csv": lambda file, text, step_ms: _table(file, text),
    ".json": lambda file, text, step_ms: _sabre(file, text),
    ".down": _mahimahi,
    ".up": _mahimahi,
    ".mahimahi": _mahimahi,
    ".trace": _mahimahi,
}
