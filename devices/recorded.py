"""Recorded series of a user's own: link rates and charging windows, to be played back in a loop."""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.network.trace import Series
from droidloop.platform.errors import DataError
from droidloop.platform.units import SECOND_US


def rate_traces(path: Path) -> list[Series]:
    """Read link rates: a CSV ``t_s,bytes_per_s``, or a folder of such files, in order of name.

    Times rise from 0, whole seconds; the last rate holds for as long as the one before it.

    Raises:
        DataError: a file is missing, empty or not of this form.
    """
    files = sorted(path.glob("*.csv")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: no .csv in this folder; give traces as t_s,bytes_per_s")
    return [_rates(file) for file in files]


def _rates(file: Path) -> Series:
    table = _columns(file, ("t_s", "bytes_per_s"))
    times, rates = table["t_s"], table["bytes_per_s"]
    if (times != np.floor(times)).any() or times[0] != 0 or (np.diff(times) <= 0).any():
        raise DataError(f"{file}: t_s must be whole seconds that rise from 0")
    if (rates < 0).any() or not (rates > 0).any():
        raise DataError(f"{file}: bytes_per_s must not be negative, and not 0 throughout")
    times_us = times.astype(np.int64) * SECOND_US
    last_us = int(times_us[-1] - times_us[-2]) if len(times_us) > 1 else SECOND_US
    return Series(times_us, rates.astype(np.int64), int(times_us[-1]) + last_us)


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
