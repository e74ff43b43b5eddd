"""The ledger: an append-only record of what happened, in Parquet segments.

A segment holds the rows of one window of virtual time, never more than ``SEGMENT_ROWS``, sorted by
time, kind, phone and the table's own sequence; so its bytes do not depend on who wrote first, on
the number of workers, or on a crash. It is written beside and renamed: a reader sees whole
segments or none. Every table and plot of a run is made from these files alone.
"""

import contextlib
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import IntArray
from .errors import LedgerError
from .jobs import JOB_DTYPE
from .shards import shards
from .state import Tree
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
        ("ranking", "S8"),  # sampled or full; rated: AUC
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

MEASURE_DTYPE = np.dtype(
    [
        # what a real device took for a job; -1 where it did not get that far
        ("t_us", np.int64),
        ("job", np.int64),
        ("phone", np.int32),
        ("kind", np.int8),
        ("sent_bytes", np.int64),
        ("sent_us", np.int64),
        ("load_us", np.int64),
        ("invoke_us", np.int64),  # of all steps
        ("wall_us", np.int64),  # of the process
        ("cpu_us", np.int64),
        ("peak_rss_bytes", np.int64),
        ("received_bytes", np.int64),
        ("received_us", np.int64),
        ("energy_uj", np.int64),  # of the whole device, as its battery told; -1: it did not
        ("energy_source", "S16"),  # power_supply, or modelled: power profile x measured CPU time
        # what the laws say of the same job on the same phone
        ("modelled_outcome", np.int8),
        ("modelled_down_us", np.int64),
        ("modelled_compute_us", np.int64),
        ("modelled_up_us", np.int64),
        ("modelled_energy_uj", np.int64),
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
    "measures": (MEASURE_DTYPE, "t_us", ("t_us", "phone", "job")),
}
"""For each table its row, the column that is its time, and the order of its rows."""


class Ledger:
    """Writes the tables of a run below *folder*; one writer a run.

    Segments are made in a thread while the run goes on, one flush at a time, so what waits in
    memory is bounded by the rows of two windows.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._waiting: dict[str, dict[int, list[Rows]]] = {name: {} for name in TABLES}
        self._next = dict.fromkeys(TABLES, 0)
        self._written = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._flushing: Future[None] | None = None

    def write(self, table: str, rows: Rows) -> None:
        """Keep a copy of *rows* until their window is over; their times may lie in the future.

        Raises:
            ValueError: a row belongs to a window that has been written.
        """
        dtype, time, _ = TABLES[table]
        if rows.dtype != dtype:
            raise ValueError(f"rows of {table!r} have another dtype")
        if not len(rows):
            return
        windows = rows[time] // WINDOW_US
        first, last = int(windows.min()), int(windows.max())
        if first < self._written:
            raise ValueError(f"{table}: rows of window {first}, which has been written")
        if first == last:
            self._waiting[table].setdefault(first, []).append(rows.copy())
            return
        for window in np.unique(windows):
            mine = _raw(rows)[windows == window].view(dtype)
            self._waiting[table].setdefault(int(window), []).append(mine)

    def advance(self, now_us: int) -> None:
        """Begin to write every window that ends at or before *now_us*; nothing older may come.

        Raises:
            LedgerError: the run directory cannot be written; said of this flush or the one before.
        """
        if now_us // WINDOW_US > self._written:
            self._written = now_us // WINDOW_US
            self._flush(self._written)

    def close(self) -> None:
        """Write everything that waits, and wait for it.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        self._flush(None)
        self.wait()
        self._writer.shutdown()

    def wait(self) -> None:
        """Wait until every segment that was begun is on disk.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        flushing, self._flushing = self._flushing, None
        if flushing is not None:
            flushing.result()

    def state(self) -> Tree:
        """Return the rows that wait, and how far segments are written; those are then on disk.

        Raises:
            LedgerError: the run directory cannot be written.
        """
        self.wait()
        waiting = {
            table: {
                str(window): np.concatenate([_raw(part) for part in parts]).view(TABLES[table][0])
                for window, parts in windows.items()
            }
            for table, windows in self._waiting.items()
        }
        return {"waiting": waiting, "next": dict(self._next), "written": self._written}

    def begin_again(self) -> None:
        """Remove all segments: the run begins anew.

        Raises:
            LedgerError: the run directory cannot be changed.
        """
        self.restore({"waiting": {}, "next": dict.fromkeys(TABLES, 0), "written": 0})

    def restore(self, tree: Tree) -> None:
        """Go on from *tree*; segments that were written after it are removed, to be written again.

        Raises:
            LedgerError: the run directory cannot be changed.
        """
        self._written, self._next = tree["written"], dict(tree["next"])
        for table, windows in tree["waiting"].items():
            self._waiting[table] = {int(window): [rows] for window, rows in windows.items()}
        for table, following in self._next.items():
            for path in sorted((self.folder / table).glob("*")):
                if path.suffix != ".parquet" or int(path.stem) >= following:
                    _remove(path)

    def _flush(self, before: int | None) -> None:
        self.wait()
        over: list[tuple[str, list[Rows]]] = []
        for table, windows in self._waiting.items():
            for window in sorted(windows):
                if before is None or window < before:
                    over.append((table, windows.pop(window)))
        if over:
            self._flushing = self._writer.submit(self._write_all, over)

    def _write_all(self, over: list[tuple[str, list[Rows]]]) -> None:
        over.reverse()
        while over:
            self._segments(*over.pop())  # what has been written is held no longer

    def _segments(self, table: str, parts: list[Rows]) -> None:
        dtype, _, order = TABLES[table]
        rows = np.concatenate([_raw(part) for part in parts]).view(dtype)
        parts.clear()
        sorted_ = _sorted(rows, order)
        folder = self.folder / table
        for start in range(0, len(rows), SEGMENT_ROWS):
            path = folder / f"{self._next[table]:06d}.parquet"
            _write_parquet(path, _columns(rows, sorted_[start : start + SEGMENT_ROWS]), dtype)
            self._next[table] += 1


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be removed ({error.strerror or error})") from error


def _raw(rows: Rows) -> Rows:
    """Return *rows* as bytes, which numpy moves whole and not field by field: five times faster."""
    return np.ascontiguousarray(rows).view(f"V{rows.dtype.itemsize}")


def _sorted(rows: Rows, order: tuple[str, ...]) -> IntArray:
    """Return the numbers of *rows* in the order of the columns *order*."""
    first = np.ascontiguousarray(rows[order[0]])
    found = np.argsort(first, kind="stable")
    values = first[found]
    same = np.flatnonzero(values[1:] == values[:-1])
    if len(same):  # the other columns are asked only where the first does not decide
        tied = np.union1d(same, same + 1)
        few = rows[list(order)][found[tied]]
        found[tied] = found[tied][np.lexsort([few[name] for name in reversed(order)])]
    return found


def _columns(rows: Rows, picked: IntArray) -> dict[str, Any]:
    """Return the columns of the rows *picked*; in blocks that the processor's cache holds."""
    names = rows.dtype.names or ()
    columns = {name: np.empty(len(picked), rows.dtype[name]) for name in names}
    for block in shards(len(picked)):
        some = _raw(rows)[picked[block]].view(rows.dtype)
        for name in names:
            columns[name][block] = some[name]
    return columns


def _write_parquet(path: Path, columns: dict[str, Any], dtype: np.dtype[Any]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrays = {
        name: pa.array(column.astype(str) if column.dtype.kind == "S" else column)
        for name, column in columns.items()
    }
    # rows are in the order of time, so that differences of neighbours are small numbers
    words: Any = [name for name in arrays if dtype[name].kind in "Sf"]
    whole = [name for name in arrays if dtype[name].kind == "i" and dtype[name].itemsize >= 4]
    beside = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # one thread's order, one codec and one row group size: equal rows give equal bytes
        pq.write_table(
            pa.table(arrays),
            beside,
            compression="zstd",
            use_dictionary=words,
            column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
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
