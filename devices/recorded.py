"""Recorded series of a user's own: link rates and charging windows, to be played back in a loop."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.network.formats import read_traces
from droidloop.network.trace import Series
from droidloop.platform.errors import DataError
from droidloop.platform.units import SECOND_US


def rate_traces(path: Path) -> list[Series]:
    """Read the downlinks of a link trace, or of all traces of a folder, in order of name.

    Raises:
        DataError: a file is missing, empty or of no known format (``network.formats``).
    """
    return [trace.down for trace in read_traces(path)]


def charging_windows(path: Path) -> list[Series]:
    """Read recorded charging windows: a CSV ``device,start_s,end_s``; one series a device.

    Time 0 is a local midnight. Each device's record is looped over whole days, as many as it
    spans, so that local time stays aligned.

    Raises:
        DataError: the file is missing, empty or not of this form.
    """
    table = _columns(path, ("device", "start_s", "end_s"))
    if (table["start_s"] < 0).any() or (table["end_s"] <= table["start_s"]).any():
        raise DataError(f"{path}: a window must start at 0 or later and end after its start")
    series = []
    for device in np.unique(table["device"]):
        mine = table["device"] == device
        series.append(_windows(table["start_s"][mine], table["end_s"][mine]))
    return series


def _windows(starts_s: Any, ends_s: Any) -> Series:
    day_s = 86_400
    span_s = int(-(-ends_s.max() // day_s)) * day_s
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


def _columns(file: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the named columns of a CSV as float64 arrays."""
    import pyarrow as pa
    import pyarrow.csv

    options = pyarrow.csv.ConvertOptions(
        include_columns=list(names), column_types=dict.fromkeys(names, pa.float64())
    )
    try:
        table = pyarrow.csv.read_csv(file, convert_options=options)
    except FileNotFoundError as error:
        raise DataError(f"{file}: no such file") from error
    except (pa.ArrowInvalid, KeyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise DataError(
            f"{file}: not a CSV with the columns {','.join(names)} ({reason})"
        ) from error
    columns = {name: table[name].to_numpy() for name in names}
    if table.num_rows == 0 or any(not np.isfinite(values).all() for values in columns.values()):
        raise DataError(f"{file}: needs at least one row, and numbers in {','.join(names)}")
    return columns
