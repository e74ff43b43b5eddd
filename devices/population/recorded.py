"""Recorded series of a user's own: link rates and charging windows, to be played back in a loop."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.network.formats import LinkTrace, read_traces
from droidloop.network.trace import Series
from droidloop.network.uplink import uplink
from droidloop.platform.errors import DataError
from droidloop.platform.units import SECOND_US

_DAY_S = 86_400
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


def charging_windows(path: Path) -> list[Series]:
    """Read recorded charging windows: a CSV ``device,start_s,end_s``; one series a device.

    It may be compressed (``.gz``). Of a column ``kind``, where there is one, only ``charging``
    counts. Time 0 is a local midnight. Each device's record is looped over the whole days from its
    first window to its last, so that local time stays aligned.

    Raises:
        DataError: the file is missing, empty or not of this form.
    """
    devices, starts_s, ends_s = _windows_of(path)
    if (ends_s < starts_s).any():
        raise DataError(f"{path}: a window must not end before its start")
    lasting = ends_s > starts_s
    if not lasting.any():
        raise DataError(f"{path}: needs a charging window that lasts")
    devices, starts_s, ends_s = devices[lasting], starts_s[lasting], ends_s[lasting]
    order = np.argsort(devices, kind="stable")
    edges = np.flatnonzero(devices[order][1:] != devices[order][:-1]) + 1
    return [_windows(starts_s[mine], ends_s[mine]) for mine in np.split(order, edges)]


def _windows(starts_s: Any, ends_s: Any) -> Series:
    first_s = starts_s.min() // _DAY_S * _DAY_S
    starts_s, ends_s = starts_s - first_s, ends_s - first_s
    span_s = int(-(-ends_s.max() // _DAY_S)) * _DAY_S
    edges: dict[int, int] = {0: 0}
    open_until = -1.0
    for start, end in sorted(zip(starts_s, ends_s, strict=True)):
        if start > open_until:
            edges[round(start * SECOND_US)] = 1
        else:
            edges.pop(round(open_until * SECOND_US), None)
        open_until = max(open_until, end)
        if open_until < span_s:
            edges[round(open_until * SECOND_US)] = 0
    times = np.array(sorted(edges), np.int64)
    return Series(times, np.array([edges[int(t)] for t in times], np.int64), span_s * SECOND_US)


def _windows_of(file: Path) -> tuple[Any, Any, Any]:
    """Return devices (text), starts and ends (float64) of the charging windows of *file*."""
    import pyarrow as pa
    import pyarrow.compute
    import pyarrow.csv

    types: dict[str, pa.DataType] = {"device": pa.string(), "kind": pa.string()}
    types |= {"start_s": pa.float64(), "end_s": pa.float64()}
    options = pyarrow.csv.ConvertOptions(column_types=types)
    try:
        table = pyarrow.csv.read_csv(file, convert_options=options)
        if "kind" in table.column_names:
            table = table.filter(pyarrow.compute.equal(table["kind"], pa.scalar(_KIND)))
        columns = [table[name] for name in ("device", "start_s", "end_s")]
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file") from error
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{file}: not a CSV with the columns device,start_s,end_s ({reason})"
        ) from error
    devices = np.asarray(columns[0].to_pylist(), np.str_)
    starts_s, ends_s = (column.to_numpy() for column in columns[1:])
    if len(devices) == 0 or not (np.isfinite(starts_s) & np.isfinite(ends_s)).all():
        raise DataError(f"{file}: needs at least one charging window, and numbers in its columns")
    return devices, starts_s, ends_s
