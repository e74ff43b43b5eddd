"""Recorded series of a user's own: link rates and charging windows, to be played back in a loop."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.network.formats import LinkTrace, read_traces
from droidloop.network.trace import Series
from droidloop.network.uplink import uplink
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.platform.reading import unpacked
from droidloop.platform.units import HOUR_US, SECOND_US

MAX_FILE_BYTES = 1 << 28
MAX_TIME_S = 1e11
"""The year 5138, where times are counted from 1970; of local midnights anything does."""
MAX_HOURS = 2_000_000
"""A thousand devices over three months, each hour of which is kept in memory."""
_HOUR_S = 3600
_WEEK_H = 7 * 24
_WEEKS = 1000
_KIND = "charging"


def rate_traces(path: Path, up_share: float | None) -> tuple[list[Series], list[Series]]:
    """Read down- and uplinks of a link trace, or of all traces of a folder, in order of name.

    Uplinks are *up_share* of the downlinks; None: as recorded. An uplink that nobody had filled
    when it was recorded says nothing of what it could carry.

    Raises:
        DataError: a file is missing, empty or of no known format (``network.formats``), or has
            no uplink that it should have.
    """
    traces = read_traces(path)
    if up_share is not None:
        traces = [LinkTrace(trace.name, trace.down) for trace in traces]
    for trace in traces:
        if up_share is None and trace.up is None:
            raise DataError(f"{path}: {trace.name} has no recorded uplink; give an uplink_share")
    return [one.down for one in traces], [uplink(one, up_share or 0.0) for one in traces]


@dataclass(frozen=True)
class _Record:
    """Charging *windows* (n, 2) of one device, rising and apart, and the whole hours observed."""

    windows: FloatArray
    first_hour: int
    last_hour: int

    def plugged_in(self, start_s: float, end_s: float) -> FloatArray:
        """Return the windows within a stretch of time, from its start on."""
        inside = np.clip(self.windows, start_s, end_s) - start_s
        return inside[inside[:, 0] < inside[:, 1]]


def charging_windows(path: Path, draws: Draws) -> list[Series]:
    """Read recorded charging windows: a CSV ``device,start_s,end_s``; return weeks of charging.

    It may be compressed (``.gz``). Of a column ``kind``, where there is one, only ``charging``
    says that a phone charged; rows of any kind say that it was observed then. A device counts as
    observed from its first row to its last, in the whole hours between; nothing is known of it at
    other times. Time 0 is a local midnight.

    A week follows one device at its own hours of the day for as long as it was observed, and then
    another that was observed at that hour. Every observed hour of a device is played as often as
    any other of that hour of the day: so each record weighs what it is long, and all nights are
    alike.

    Raises:
        DataError: the file is missing, empty or not of this form, or nobody was observed at some
            hour of the day.
    """
    records = _records(path)
    weeks = min(_WEEKS, 4 * len(records))
    pieces = _follow(path, records, weeks, draws)
    return [_week(records, pieces[week]) for week in range(weeks)]


def _records(path: Path) -> list[_Record]:
    devices, charging, starts_s, ends_s = _windows_of(path)
    if (ends_s < starts_s).any():
        raise DataError(f"{path}: a window must not end before its start")
    if not (ends_s > starts_s)[charging].any():
        raise DataError(f"{path}: needs a charging window that lasts")
    order = np.argsort(devices, kind="stable")
    edges = np.flatnonzero(devices[order][1:] != devices[order][:-1]) + 1
    records, hours = [], 0
    for mine in np.split(order, edges):
        first = int(-(-starts_s[mine].min() // _HOUR_S))
        last = int(ends_s[mine].max() // _HOUR_S)
        lasting = mine[charging[mine] & (ends_s[mine] > starts_s[mine])]
        hours += max(0, last - first)
        if hours > MAX_HOURS:
            raise DataError(f"{path}: more than {MAX_HOURS} hours of all devices; cut it")
        if first < last:
            records.append(_Record(_apart(starts_s[lasting], ends_s[lasting]), first, last))
    return records


def _apart(starts_s: FloatArray, ends_s: FloatArray) -> FloatArray:
    """Return windows (n, 2) with those that overlap or touch made one."""
    order = np.argsort(starts_s)
    starts_s, ends_s = starts_s[order], np.maximum.accumulate(ends_s[order])
    if len(starts_s) == 0:
        return np.empty((0, 2))
    begins = np.append(True, starts_s[1:] > ends_s[:-1])
    return np.stack([starts_s[begins], ends_s[np.append(begins[1:], True)]], axis=1)


def _follow(path: Path, records: list[_Record], weeks: int, draws: Draws) -> IntArray:
    """Return for each of *weeks* and each of its hours the record and its hour, (weeks, 168, 2).

    What is followed is uniform among all pieces of an hour of the day, in every hour: a piece that
    ends hands over to any, and each one that begins takes its share of those that go on.
    """
    first = np.array([one.first_hour for one in records], np.int64)
    last = np.array([one.last_hour for one in records], np.int64)
    pieces = _pieces(first, last)
    hours = (pieces[:, 1] % 24).astype(np.int8)
    order = np.argsort(hours, kind="stable")  # of bytes: by counting, not by comparing
    by_hour = np.split(pieces[order], np.searchsorted(hours[order], np.arange(1, 24)))
    if missing := [hour for hour in range(24) if not len(by_hour[hour])]:
        raise DataError(f"{path}: no device was observed through the hour from {missing[0]}:00 on")
    begun = [pool[pool[:, 1] == first[pool[:, 0]]] for pool in by_hour]
    followed = np.empty((weeks, _WEEK_H, 2), np.int64)
    numbers = np.arange(weeks)
    now = by_hour[0][draws.integers(numbers, 0, len(by_hour[0]))]
    for hour in range(_WEEK_H):
        pool, fresh = by_hour[hour % 24], begun[hour % 24]
        if hour:
            now = now + np.array([0, 1])
            ended = now[:, 1] >= last[now[:, 0]]
            pick = draws.integers(numbers, 3 * hour, len(pool))
            now[ended] = pool[pick[ended]]
            share = len(fresh) / len(pool)
            turns = ~ended & (draws.uniform(numbers, 3 * hour + 1) < share)
            if turns.any():
                pick = draws.integers(numbers, 3 * hour + 2, len(fresh))
                now[turns] = fresh[pick[turns]]
        followed[:, hour] = now
    return followed


def _pieces(first: IntArray, last: IntArray) -> IntArray:
    """Return each record's number and each of its hours from *first* to *last*, (hours, 2)."""
    lengths = last - first
    numbers = np.repeat(np.arange(len(first)), lengths)
    begins = np.cumsum(lengths) - lengths
    hours = np.arange(len(numbers)) - np.repeat(begins - first, lengths)
    return np.stack([numbers, hours], axis=1)


def _week(records: list[_Record], pieces: IntArray) -> Series:
    """Return a week of charging out of *pieces*, a record and its hour for each hour, (168, 2)."""
    goes_on = (np.diff(pieces[:, 0]) == 0) & (np.diff(pieces[:, 1]) == 1)
    starts = np.append(0, np.flatnonzero(~goes_on) + 1)
    parts = []
    for start, end in zip(starts, np.append(starts[1:], _WEEK_H), strict=True):
        number, hour = pieces[start]
        stretch = records[number].plugged_in(hour * _HOUR_S, (hour + end - start) * _HOUR_S)
        parts.append(stretch + start * _HOUR_S)
    windows = np.concatenate(parts)
    windows_us = np.rint(_apart(windows[:, 0], windows[:, 1]) * SECOND_US).astype(np.int64)
    edges = {0: 0}
    for start_us, end_us in windows_us.tolist():
        if start_us < end_us:
            edges |= {start_us: 1, end_us: 0}
    edges.pop(_WEEK_H * HOUR_US, None)
    return Series(np.array(list(edges)), np.array(list(edges.values())), _WEEK_H * HOUR_US)


def _windows_of(file: Path) -> tuple[Any, Any, Any, Any]:
    """Return devices (text), whether they charged, starts and ends (float64) of rows of *file*."""
    import pyarrow as pa
    import pyarrow.csv

    types: dict[str, pa.DataType] = {"device": pa.string(), "kind": pa.string()}
    types |= {"start_s": pa.float64(), "end_s": pa.float64()}
    options = pyarrow.csv.ConvertOptions(column_types=types)
    text = unpacked(file, MAX_FILE_BYTES) if file.exists() else b""
    try:
        if not file.exists():
            raise FileNotFoundError
        table = pyarrow.csv.read_csv(io.BytesIO(text), convert_options=options)
        charging = np.ones(len(table), np.bool_)
        if "kind" in table.column_names:
            charging = np.asarray(table["kind"].to_pylist(), np.str_) == _KIND
        columns = [table[name] for name in ("device", "start_s", "end_s")]
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file") from error
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{file}: not a CSV with the columns device,start_s,end_s ({reason})"
        ) from error
    devices = np.asarray(columns[0].to_pylist(), np.str_)
    starts_s, ends_s = (column.to_numpy() for column in columns[1:])
    if not charging.any() or not (np.isfinite(starts_s) & np.isfinite(ends_s)).all():
        raise DataError(f"{file}: needs at least one charging window, and numbers in its columns")
    if max(np.abs(starts_s).max(), np.abs(ends_s).max()) > MAX_TIME_S:
        raise DataError(f"{file}: a time is beyond {MAX_TIME_S:g} s; give times in seconds")
    return devices, charging, starts_s, ends_s
