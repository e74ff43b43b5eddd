"""Interactions of a Parquet file straight into rows by user, a row group at a time.

``readers.load`` and ``by_user`` hold the file's columns, the events and the rows by user at once:
right for some millions of events. Here memory is the result and one batch. The file is read twice:
to find the labels and count, then to put each event in its user's place.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import DataError
from droidloop.platform.law import kernel

from . import text_columns as cells
from .interactions import Labels, UserItems, oldest_first
from .readers import Columns

BATCH_ROWS = 1 << 20


@dataclass(frozen=True)
class Streamed:
    """Rows by user, and the source's own names of users and items."""

    data: UserItems
    user_labels: Labels
    item_labels: Labels


class _Labels:
    """The distinct values of a column, numbered as ``readers.load`` numbers them."""

    def __init__(self, file: Path, name: str) -> None:
        self._file, self._name = file, name
        self._seen: Any = None
        self._number: Any = None

    def see(self, column: Any, first: int) -> None:
        import pyarrow as pa

        if column.null_count:
            row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
            raise cells.unfit(self._file, first + row, self._name, "", "is missing")
        new = _plain(column).unique()
        both = new if self._seen is None else pa.concat_arrays([self._seen, new])
        self._seen = both.unique()

    def close(self) -> Labels:
        self._number, labels = cells.numbered(self._file, self._name, self._seen)
        return labels

    def numbers(self, column: Any) -> IntArray:
        import pyarrow.compute as pc

        where = pc.index_in(_plain(column), value_set=self._seen)
        return np.asarray(self._number[where.to_numpy()], np.int64)


def stream(path: Path, columns: Columns | None = None, batch_rows: int = BATCH_ROWS) -> Streamed:
    """Read *columns* of a Parquet file into rows by user; equal to ``by_user(load(path))``.

    Ratings and times that are not asked for take no memory.

    Raises:
        DataError: as ``readers.load``.
    """
    file, wanted = Path(path), columns or Columns()
    users, items = _Labels(file, wanted.user), _Labels(file, wanted.item)
    rows = 0
    for batch in _batches(file, [wanted.user, wanted.item], batch_rows):
        users.see(batch[wanted.user], rows)
        items.see(batch[wanted.item], rows)
        rows += len(batch[wanted.user])
    if rows == 0:
        raise DataError(f"{file}: holds no interaction; give a file with at least one row")
    user_labels, item_labels = users.close(), items.close()
    offsets = _offsets(file, wanted.user, users, len(user_labels), batch_rows)
    data = _filled(file, wanted, users, items, offsets, batch_rows)
    return Streamed(data, user_labels, item_labels)


def _batches(file: Path, names: list[str], rows: int) -> Iterator[dict[str, Any]]:
    """Yield the columns *names* of consecutive rows of *file*, no more than *rows* at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as source:
            held = source.schema_arrow.names
            for name in names:
                if name not in held:
                    shown = ", ".join(repr(name) for name in held[:20])
                    message = f"has no column {name!r}; name the right one among {shown}"
                    raise DataError(f"{file}: {message}")
            for batch in source.iter_batches(rows, columns=list(dict.fromkeys(names))):
                yield {name: batch.column(name) for name in names}
    except (OSError, pa.ArrowException) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{file}: cannot be read as parquet: {reason}; check the file") from error


def _plain(column: Any) -> Any:
    import pyarrow as pa

    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def _offsets(file: Path, name: str, users: _Labels, n_users: int, batch_rows: int) -> IntArray:
    counts = np.zeros(n_users, np.int64)
    for batch in _batches(file, [name], batch_rows):
        counts += np.bincount(users.numbers(batch[name]), minlength=n_users)
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])


def _filled(
    file: Path,
    wanted: Columns,
    users: _Labels,
    items: _Labels,
    offsets: IntArray,
    batch_rows: int,
) -> UserItems:
    count = int(offsets[-1])
    data = UserItems.bare(np.empty(count, np.int64), offsets)
    times_s = data.times_s if wanted.time is None else np.empty(count, np.int64)
    ratings = data.ratings if wanted.rating is None else np.empty(count, np.float64)
    names = [name for name in (wanted.user, wanted.item, wanted.rating, wanted.time) if name]
    place, first = offsets[:-1].copy(), 0
    unit = None if wanted.time is None else _unit(file, wanted.time, batch_rows)
    for batch in _batches(file, names, batch_rows):
        where = _places(users.numbers(batch[wanted.user]), place)
        data.items[where] = items.numbers(batch[wanted.item])
        if wanted.rating is not None:
            ratings[where] = cells.ratings(file, wanted.rating, batch[wanted.rating], first)
        if wanted.time is not None:
            times_s[where] = cells.times(file, wanted.time, batch[wanted.time], first, unit)
        first += len(where)
    if wanted.time is not None:
        held = ratings if wanted.rating is not None else np.empty(0)
        _sort(offsets, data.items, times_s, held)
    return UserItems(data.items, offsets, times_s, ratings)


def _unit(file: Path, name: str, batch_rows: int) -> float | None:
    """Return the unit of all numbers of the column *name*: one batch may not show it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    least = []
    for batch in _batches(file, [name], batch_rows):
        if not (pa.types.is_integer(batch[name].type) or pa.types.is_floating(batch[name].type)):
            return None
        found = pc.min(batch[name]).as_py()
        least += [] if found is None else [float(found)]
    return cells.unit_of(np.array(least, np.float64))


@kernel
def _places(users: IntArray, place: IntArray) -> IntArray:
    """Return where each event goes; *place* is the next free one of each user."""
    where = np.empty(users.size, np.int64)
    for k in range(users.size):
        where[k] = place[users[k]]
        place[users[k]] += 1
    return where


@kernel
def _sort(offsets: IntArray, items: IntArray, times_s: IntArray, ratings: FloatArray) -> None:
    for user in range(offsets.size - 1):
        start, end = offsets[user], offsets[user + 1]
        order = start + oldest_first(times_s[start:end])
        items[start:end] = items[order]
        times_s[start:end] = times_s[order]
        if ratings.size > 0:
            ratings[start:end] = ratings[order]
