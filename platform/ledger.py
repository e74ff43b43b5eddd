"""The ledger: an append-only record of what happened, in Parquet segments.

A segment holds the rows of one window of virtual time, never more than ``SEGMENT_ROWS``, sorted by
time, kind, phone and the table's own sequence; so its bytes do not depend on who wrote first, on
the number of workers, or on a crash. It is written beside and renamed: a reader sees whole
segments or none. Every table and plot of a run is made from these files alone.

Words are kept as numbers in a list until they are written, so they are of any length. A segment
says of which version its columns are; older ones are read with the defaults of what they lack.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .arrays import IntArray
from .columns import Table
from .durable import reason_of, replacing
from .errors import LedgerError
from .shards import shards
from .state import Tree
from .tables import TABLES
from .units import HOUR_US

if TYPE_CHECKING:  # imported only where they are needed
    import pyarrow as pa

SCHEMA_VERSION = 2
"""Of the run directory: which files there are. Tables have versions of their own. From 2 on the
manifest of a complete run lists its segments."""
WINDOW_US = 6 * HOUR_US
SEGMENT_ROWS = 1 << 20
_VERSION = b"droidloop.version"

Rows = np.ndarray[Any, np.dtype[np.void]]


class Words(NamedTuple):
    """A column of words: some *names*, and for each row the number of its own."""

    names: Sequence[str]
    of: IntArray


class Ledger:
    """Writes the tables of a run below *folder*; one writer a run.

    Segments are made in a thread while the run goes on, one flush at a time, so what waits in
    memory is bounded by the rows of two windows.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._words: dict[str, int] = {}
        self._waiting: dict[str, dict[int, list[Rows]]] = {name: {} for name in TABLES}
        self._rows: dict[str, list[int]] = {name: [] for name in TABLES}
        self._written = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._flushing: Future[None] | None = None

    def write(self, table: str, rows: Rows) -> None:
        """Keep a copy of *rows* until their window is over; their times may lie in the future.

        Raises:
            ValueError: a row belongs to a window that has been written, or *table* has words.
        """
        if rows.dtype != TABLES[table].dtype or TABLES[table].words:
            raise ValueError(f"rows of {table!r} have another dtype, or words: note them")
        self._keep(table, rows)

    def _keep(self, table: str, rows: Rows) -> None:
        dtype, time = TABLES[table].dtype, TABLES[table].time
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

    def note(self, table: str, **columns: Any) -> None:
        """Write rows that are given as columns: an array each, or one value for all rows.

        A column of words is one word, a list with one for each row, or ``Words``.

        Raises:
            ValueError: there are not exactly the columns of *table*, or as for ``write``.
        """
        dtype = TABLES[table].dtype
        if set(columns) != set(dtype.names or ()):
            odd = ", ".join(sorted(set(columns) ^ set(dtype.names or ())))
            raise ValueError(f"{table}: a column is missing or unknown: {odd}")
        for name in TABLES[table].words:
            columns[name] = self._numbers(columns[name])
        rows = np.empty(np.broadcast(*columns.values()).shape or (1,), dtype)
        for name, values in columns.items():
            rows[name] = values
        self._keep(table, rows)

    def _numbers(self, words: str | Sequence[str] | Words) -> Any:
        """Return the numbers of *words* in the list of all words so far, which grows with them."""
        if isinstance(words, Words):
            return np.array(self._numbers(words.names), np.int32)[words.of]
        if isinstance(words, str):
            return self._words.setdefault(words, len(self._words))
        return [self._words.setdefault(word, len(self._words)) for word in words]

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

    def let_go(self) -> None:
        """Wait for what is being written, and write nothing more: the run goes no further."""
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
                str(window): np.concatenate([_raw(part) for part in parts]).view(
                    TABLES[table].dtype
                )
                for window, parts in windows.items()
            }
            for table, windows in self._waiting.items()
        }
        return {
            "words": list(self._words),
            "waiting": waiting,
            "rows": {table: list(rows) for table, rows in self._rows.items()},
            "written": self._written,
        }

    def listed(self) -> dict[str, list[int]]:
        """Return how many rows each segment of each table has, of those that have any."""
        return {table: list(rows) for table, rows in self._rows.items() if rows}

    def begin_again(self) -> None:
        """Remove all segments: the run begins anew.

        Raises:
            LedgerError: the run directory cannot be changed.
        """
        self._remove_following()

    def restore(self, tree: Tree) -> None:
        """Go on from *tree*; segments that were written after it are removed, to be written again.

        Raises:
            LedgerError: the run directory cannot be changed.
        """
        self._words = {word: number for number, word in enumerate(tree["words"])}
        self._written = tree["written"]
        self._rows = {table: list(tree["rows"][table]) for table in TABLES}
        for table, windows in tree["waiting"].items():
            self._waiting[table] = {int(window): [rows] for window, rows in windows.items()}
        self._remove_following()

    def _remove_following(self) -> None:
        for table, rows in self._rows.items():
            wanted = {segment_name(number) for number in range(len(rows))}
            for path in sorted((self.folder / table).glob("*")):
                if path.name not in wanted:
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

    def _segments(self, name: str, parts: list[Rows]) -> None:
        table, words = TABLES[name], list(self._words)
        rows = _together(parts, table.dtype)
        parts.clear()
        sorted_ = _sorted(rows, table, words)
        folder = self.folder / name
        for start in range(0, len(rows), SEGMENT_ROWS):
            picked = sorted_[start : start + SEGMENT_ROWS]
            path = folder / segment_name(len(self._rows[name]))
            _write_parquet(path, _columns(rows, picked), table, words)
            self._rows[name].append(len(picked))


def _together(parts: list[Rows], dtype: np.dtype[Any]) -> Rows:
    return np.concatenate([_raw(part) for part in parts]).view(dtype)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except OSError as error:
        raise LedgerError(f"{path}: cannot be removed ({error.strerror or error})") from error


def _raw(rows: Rows) -> Rows:
    """Return *rows* as bytes, which numpy moves whole and not field by field: five times faster."""
    return np.ascontiguousarray(rows).view(f"V{rows.dtype.itemsize}")


def _sorted(rows: Rows, table: Table, words: list[str]) -> IntArray:
    """Return the numbers of *rows* in the order of *table*; words in the order of their letters."""
    first = np.ascontiguousarray(rows[table.order[0]])
    found = np.argsort(first, kind="stable")
    values = first[found]
    same = np.flatnonzero(values[1:] == values[:-1])
    if len(same):  # the other columns are asked only where the first does not decide
        place = np.empty(len(words), np.int32)
        place[sorted(range(len(words)), key=words.__getitem__)] = np.arange(len(words))
        tied = np.union1d(same, same + 1)
        few = rows[list(table.order)][found[tied]]
        keys = [place[few[n]] if n in table.words else few[n] for n in reversed(table.order)]
        found[tied] = found[tied][np.lexsort(keys)]
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


def _write_parquet(path: Path, columns: dict[str, Any], table: Table, words: list[str]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    dtype, texts = table.dtype, pa.array(words, pa.string())
    arrays = {
        name: pa.DictionaryArray.from_arrays(column, texts).dictionary_decode()
        if name in table.words
        else pa.array(column)
        for name, column in columns.items()
    }
    # rows are in the order of time, so that differences of neighbours are small numbers
    few: Any = [name for name in arrays if name in table.words or dtype[name].kind == "f"]
    whole = [
        name
        for name in arrays
        if name not in table.words and dtype[name].kind == "i" and dtype[name].itemsize >= 4
    ]
    marked = pa.table(arrays)
    if table.version > 1:  # a segment that says nothing is of the first version
        marked = marked.replace_schema_metadata({_VERSION: str(table.version)})
    with replacing(path) as beside:
        # one thread's order, one codec and one row group size: equal rows give equal bytes
        pq.write_table(
            marked,
            beside,
            compression="zstd",
            use_dictionary=few,
            column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
            row_group_size=1 << 16,
            write_page_checksum=True,
        )


def segment_name(number: int) -> str:
    """Return the name of the segment of that *number* of any table."""
    return f"{number:06d}.parquet"


def segments(folder: Path, table: str) -> Iterator[Path]:
    """Yield the segments of *table* in the run directory *folder*, in order."""
    yield from sorted((folder / table).glob("*.parquet"))


def read(folder: Path, table: str) -> Rows:
    """Return all rows of *table* as one structured array; words as bytes, see ``texts``.

    Raises:
        LedgerError: a segment is damaged, of another schema, or of a newer version.
    """
    import pyarrow.lib as lib

    parts = []
    for path in segments(folder, table):
        try:
            parts.append(_read_parquet(path, TABLES[table]))
        except (lib.ArrowException, ValueError, OSError) as error:
            message = f"{path}: not a segment of {table!r} ({reason_of(error)})"
            raise LedgerError(message) from error
    if not parts:
        return np.empty(0, _row(TABLES[table], {}))
    wide = {name: max(part.dtype[name].itemsize for part in parts) for name in TABLES[table].words}
    return np.concatenate([part.astype(_row(TABLES[table], wide), copy=False) for part in parts])


def texts(column: Any) -> list[str]:
    """Return the words of a column that was read, as text."""
    return [word.decode() for word in column.tolist()]


def columns_of(table: str, rows: Rows) -> dict[str, Any]:
    """Return *rows* as they were read from *table* as columns that ``Ledger.note`` takes."""
    words = TABLES[table].words
    return {n: texts(rows[n]) if n in words else rows[n] for n in rows.dtype.names or ()}


def _row(table: Table, widths: dict[str, int]) -> np.dtype[Any]:
    """Return the rows of *table* as they are read, with words of at most *widths* bytes."""
    return np.dtype(
        [(c.name, f"S{widths.get(c.name, 1)}" if c.kind is str else c.kind) for c in table.columns]
    )


def _read_parquet(path: Path, table: Table) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = pq.read_table(path, partitioning=None, page_checksum_verification=True)
    said = (found.schema.metadata or {}).get(_VERSION, b"1").decode()
    if not said.isdecimal() or int(said) > table.version:
        raise ValueError(
            f"its columns are of version {said}, this droidloop reads up to {table.version}; "
            "read it with a newer one"
        )
    there = table.of_version(int(said))
    kinds = [pa.string() if c.kind is str else pa.from_numpy_dtype(np.dtype(c.kind)) for c in there]
    wanted = pa.schema(list(zip((c.name for c in there), kinds, strict=True)))
    if not found.schema.equals(wanted):
        raise ValueError(f"its columns are not those of version {said}")
    for name in wanted.names:
        if found[name].null_count:
            raise ValueError(f"{name} is not given in every row")
    read_: dict[str, Any] = {c.name: _values(found[c.name], c.kind) for c in there}
    widths = {n: read_[n].itemsize for n in table.words if n in read_}
    rows = np.empty(found.num_rows, _row(table, widths))
    for column in table.columns:
        rows[column.name] = read_.get(column.name, column.default)
    return rows


def _values(column: "pa.ChunkedArray[Any]", kind: type) -> Any:
    if kind is not str:
        return column.to_numpy()
    coded: Any = column.combine_chunks().dictionary_encode()
    words = [word.encode() for word in coded.dictionary.to_pylist()]
    return np.array(words or [b""])[coded.indices.to_numpy()]
