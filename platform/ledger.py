"""The ledger: an append-only record of what happened, in Parquet segments.

A segment holds the rows of one window of virtual time, never more than ``SEGMENT_ROWS``, sorted by
time, kind, phone and the table's own sequence; so its bytes do not depend on who wrote first, on
the number of workers, or on a crash. It is written beside and renamed: a reader sees whole
segments or none. Every table and plot of a run is made from these files alone.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from .errors import LedgerError
from .jobs import JOB_DTYPE
from .units import HOUR_US

SCHEMA_VERSION = 1
WINDOW_US = 6 * HOUR_US
SEGMENT_ROWS = 1 << 20

Rows = np.ndarray[Any, np.dtype[np.void]]

EVENT_DTYPE = np.dtype(
    [
        ("t_us", np.int64),
        ("kind", "S16"),  # round, package, leave, join, ...
        ("phone", np.int32),  # -1: the server
        ("round", np.int32),
        ("name", "S24"),  # of the value
        ("value", np.int64),
    ]
)

METRIC_DTYPE = np.dtype(
    [
        ("t_us", np.int64),
        ("round", np.int32),
        ("phone", np.int32),  # the user's phone
        ("model", "S16"),  # global, int8, popularity, ...
        ("ranking", "S8"),  # sampled or full
        ("part", "S8"),  # valid or test
        ("name", "S16"),  # hr@10, ...
        ("value", np.float64),
    ]
)

DEVICE_DTYPE = np.dtype(
    [
        ("t_us", np.int64),
        ("phone", np.int32),
        ("profile", "S24"),
        ("region", "S16"),
        ("radio", "S8"),
        ("capacity_uj", np.int64),
        ("battery_before_uj", np.int64),
        ("battery_after_uj", np.int64),
        ("accepted_uj", np.int64),
        ("promotion_uj", np.int64),
        ("radio_uj", np.int64),
        ("tail_uj", np.int64),
        ("cpu_uj", np.int64),
        ("own_uj", np.int64),
        ("downloaded_bytes", np.int64),
        ("uploaded_bytes", np.int64),
        ("deaths", np.int32),
        ("version", np.int32),
        ("measured", np.bool_),
    ]
)

TABLES: dict[str, tuple[np.dtype[Any], str, tuple[str, ...]]] = {
    "jobs": (JOB_DTYPE, "finish_us", ("finish_us", "kind", "phone", "job")),
    "events": (EVENT_DTYPE, "t_us", ("t_us", "kind", "phone", "round", "name", "value")),
    "metrics": (
        METRIC_DTYPE,
        "t_us",
        ("t_us", "model", "ranking", "part", "name", "phone", "round", "value"),
    ),
    "devices": (DEVICE_DTYPE, "t_us", ("t_us", "phone")),
}
"""For each table its row, the column that is its time, and the order of its rows."""


class Ledger:
    """Writes the tables of a run below *folder*; one writer a run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: dict[str, dict[int, list[Rows]]] = {name: {} for name in TABLES}
        self._next = dict.fromkeys(TABLES, 0)
        self._written = 0

    def write(self, table: str, rows: Rows) -> None:
        """Keep *rows* until their window is over; their times may lie in the future.

        Raises:
            ValueError: the window of a row has been written already, or lies before time 0.
        """
        windows = rows[TABLES[table][1]] // WINDOW_US
        if len(windows) and windows.min() < self._written:
            raise ValueError(f"{table}: rows of window {windows.min()}, which has been written")
        for window in np.unique(windows):
            self._waiting[table].setdefault(int(window), []).append(rows[windows == window])

    def advance(self, now_us: int) -> None:
        """Write every window that ends at or before *now_us*; nothing older may come after.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        self._written = max(self._written, now_us // WINDOW_US)
        self._flush(now_us // WINDOW_US)

    def close(self) -> None:
        """Write everything that waits."""
        self._flush(None)

    def _flush(self, before: int | None) -> None:
        for table, windows in self._waiting.items():
            for window in sorted(windows):
                if before is None or window < before:
                    self._segments(table, np.concatenate(windows.pop(window)))

    def _segments(self, table: str, rows: Rows) -> None:
        dtype, _, order = TABLES[table]
        rows = rows[np.lexsort([rows[name] for name in reversed(order)])]
        folder = self.folder / table
        for start in range(0, len(rows), SEGMENT_ROWS):
            path = folder / f"{self._next[table]:06d}.parquet"
            _write_parquet(path, rows[start : start + SEGMENT_ROWS], dtype)
            self._next[table] += 1


def _write_parquet(path: Path, rows: Rows, dtype: np.dtype[Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {}
    for name in dtype.names or ():
        column = np.ascontiguousarray(rows[name])
        columns[name] = pa.array(column.astype(str) if column.dtype.kind == "S" else column)
    beside = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # one thread's order, one codec and one row group size: equal rows give equal bytes
        pq.write_table(
            pa.table(columns),
            beside,
            compression="zstd",
            row_group_size=1 << 16,
            write_page_checksum=True,
        )
        os.replace(beside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        raise LedgerError(f"{path}: cannot be written ({_reason(error)})") from error


def segments(folder: Path, table: str) -> Iterator[Path]:
    """Yield the segments of *table* in the run directory *folder*, in order."""
    yield from sorted((folder / table).glob("*.parquet"))


def read(folder: Path, table: str) -> Rows:
    """Return all rows of *table* as one structured array.

    Raises:
        LedgerError: a segment is damaged or of another schema.
    """
    import pyarrow.lib as lib

    dtype = TABLES[table][0]
    parts = []
    for path in segments(folder, table):
        try:
            parts.append(_read_parquet(path, dtype))
        except (lib.ArrowException, ValueError, OSError) as error:
            message = f"{path}: not a segment of {table!r} ({_reason(error)})"
            raise LedgerError(message) from error
    return np.concatenate(parts) if parts else np.empty(0, dtype)


def _read_parquet(path: Path, dtype: np.dtype[Any]) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = dtype.names or ()
    columns = pq.read_table(path, partitioning=None, page_checksum_verification=True)
    types = [pa.string() if dtype[n].kind == "S" else pa.from_numpy_dtype(dtype[n]) for n in names]
    if not columns.schema.equals(pa.schema(list(zip(names, types, strict=True)))):
        raise ValueError("its columns are others")
    rows = np.empty(columns.num_rows, dtype)
    for name in names:
        if columns[name].null_count:
            raise ValueError(f"{name} is not given in every row")
        rows[name] = columns[name].to_numpy()
    return rows


def _reason(error: BaseException) -> str:
    """Return the first line of what a library said."""
    return (str(error).splitlines() or [type(error).__name__])[0]
