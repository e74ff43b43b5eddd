"""Readers of interaction data: MovieLens 100K and 1M, and any CSV or Parquet with named columns."""

import csv
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import BoolArray
from droidloop.platform.errors import DataError
from droidloop.platform.reading import unpacked

from . import text_columns as cells
from .interactions import Interactions

FORMATS = ("ml-100k", "ml-1m", "csv", "tsv", "parquet")

MAX_TEXT_BYTES = 2**31
"""Text beyond this, after unpacking, has to come as Parquet."""

MAX_ROWS = 2**31 - 1
"""Of a Parquet file, and events: more do not fit into the memory of a machine."""
MAX_COLUMN_BYTES = 2**34
"""Of all columns of a Parquet file, unpacked, as the file itself tells."""
_PARQUET = b"PAR1"
_DELIMITERS = {"ml-100k": "\t", "ml-1m": "::", "csv": ",", "tsv": "\t"}
_FOLDER_FILES = {
    "u.data": "ml-100k",
    "ratings.dat": "ml-1m",
    "interactions.parquet": "parquet",
    "ratings.csv": "csv",
    "interactions.csv": "csv",
}
_MOVIELENS_NAMES = ["user", "item", "rating", "time"]
_USUAL_NAMES = {
    "user": ("user", "user_id", "userId"),
    "item": ("item", "item_id", "itemId", "movieId"),
    "rating": ("rating", "score"),
    "time": ("time", "timestamp"),
}
_NULLS = ["", "NA", "NULL", "null", "None"]


@dataclass(frozen=True)
class Columns:
    """The names of the columns to read.

    Without ``rating`` every event counts as 1.0 (implicit feedback), whatever the file holds;
    without ``time`` every time is unknown. The columns of both MovieLens formats, which have no
    header, are called user, item, rating and time.
    """

    user: str = "user"
    item: str = "item"
    rating: str | None = None
    time: str | None = None


@dataclass(frozen=True)
class _Source:
    """A file that is there: its format, its column names and, for text formats, its text."""

    file: Path
    format: str
    names: list[str]
    text: bytes = b""


def load(
    path: Path,
    format: str | None = None,  # noqa: A002
    columns: Columns | None = None,
) -> Interactions:
    """Read the interactions of a file, or of a folder that holds one of the usual files.

    *format* is one of ``FORMATS``; without it, it follows from the name. Without *columns* the
    usual names are looked for, and ratings and times are read where there are any. Duplicate
    events are kept. Users and items are numbered in the order of their labels.

    Raises:
        DataError: the data are missing, empty, or not what the format promises. A rating that is
            null, NaN, infinite or negative is such a case; a time that is null is just unknown.
    """
    source = _open(Path(path), format)
    wanted = _usual_columns(source) if columns is None else columns
    table = _table(source, [wanted.user, wanted.item, wanted.rating, wanted.time])
    file, n = source.file, len(table[wanted.user])
    if n == 0:
        raise DataError(f"{file}: holds no interaction; give a file with at least one row")
    users, user_labels = cells.numbered(file, wanted.user, table[wanted.user])
    items, item_labels = cells.numbered(file, wanted.item, table[wanted.item])
    ratings, times_s = np.ones(n), np.full(n, -1)
    if wanted.rating is not None:
        ratings = cells.ratings(file, wanted.rating, table[wanted.rating])
    if wanted.time is not None:
        times_s = cells.times(file, wanted.time, table[wanted.time])
    return Interactions(users, items, ratings, times_s, user_labels, item_labels)


def load_flags(path: Path, column: str, format: str | None = None) -> BoolArray:  # noqa: A002
    """Return a column of the same file as a mask of its events: true where not 0 and not null.

    For files that mark their own test rows, or the rows above a threshold.
    """
    source = _open(Path(path), format)
    values = cells.numbers(source.file, column, _table(source, [column])[column])
    return np.asarray((values != 0) & ~np.isnan(values), np.bool_)


def _open(path: Path, form: str | None) -> _Source:
    if form is not None and form not in FORMATS:
        raise DataError(f"{path}: format {form!r} is unknown; choose one of {', '.join(FORMATS)}")
    file = _file_in(path, form) if os.path.isdir(path) else path
    if not os.path.isfile(file):
        raise DataError(f"{file}: no such file or folder; check the path of the data")
    found = form or _format_of(file)
    if found is None:
        raise DataError(f"{file}: unknown kind of file; set the format to {', '.join(FORMATS)}")
    if found == "parquet":
        return _Source(file, found, _parquet_names(file))
    text = _text(file)
    headless = found in ("ml-100k", "ml-1m")
    return _Source(file, found, _MOVIELENS_NAMES if headless else _header(file, text, found), text)


def _file_in(folder: Path, form: str | None) -> Path:
    usual = [name for name, found in _FOLDER_FILES.items() if form in (None, found)]
    for name in usual:
        for file in (folder / name, folder / f"{name}.gz"):
            if file.is_file():
                return file
    looked = f" ({', '.join(usual)})" if usual else ""
    raise DataError(f"{folder}: no usual data file{looked} in this folder; give a file's path")


def _format_of(file: Path) -> str | None:
    name = file.name.removesuffix(".gz")
    suffix = Path(name).suffix.removeprefix(".")
    return _FOLDER_FILES.get(name, suffix if suffix in FORMATS else None)


def _text(file: Path) -> bytes:
    text = unpacked(file, MAX_TEXT_BYTES)
    if text.startswith(_PARQUET):
        raise DataError(f"{file}: is a Parquet file; say so: format = 'parquet', or rename it")
    if not text.strip():
        raise DataError(f"{file}: is empty; give a file with at least one row")
    if b"\n" not in text:  # lines as old Macs ended them
        text = text.replace(b"\r", b"\n")
    return text


def _header(file: Path, text: bytes, form: str) -> list[str]:
    line = text[:65536].split(b"\n", 1)[0].decode("utf-8-sig", "replace").rstrip("\r")
    try:
        return next(csv.reader([line], delimiter=_DELIMITERS[form]), [])
    except csv.Error as error:
        raise _unreadable(file, form, error) from error


def _parquet_names(file: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if not stat.S_ISREG(file.stat().st_mode):
            raise DataError(f"{file}: not a regular file; give one")
        return list(pq.read_schema(file).names)
    except (OSError, ValueError, pa.ArrowException) as error:
        raise _unreadable(file, "parquet", error) from error


def _usual_columns(source: _Source) -> Columns:
    found = {
        role: next((name for name in usual if name in source.names), None)
        for role, usual in _USUAL_NAMES.items()
    }
    user, item = found["user"], found["item"]
    if user is None or item is None:
        raise _no_column(source, "item" if user else "user")
    return Columns(user, item, found["rating"], found["time"])


def _no_column(source: _Source, name: str) -> DataError:
    held = ", ".join(repr(name) for name in source.names[:20])
    return DataError(f"{source.file}: has no column {name!r}; name the right one among {held}")


def _table(source: _Source, wanted: list[str | None]) -> dict[str, Any]:
    """Return the *wanted* columns, each as one Arrow array."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    used = list(dict.fromkeys(name for name in wanted if name is not None))
    for name in used:
        if name not in source.names:
            raise _no_column(source, name)
        if source.names.count(name) > 1:
            raise DataError(f"{source.file}: has column {name!r} twice; rename one of them")
    try:
        if source.format == "parquet":
            _require_bounded(source.file)
            table = pq.read_table(source.file, columns=used, partitioning=None)
        else:
            table = _parse(source, used)
        return {name: table[name].combine_chunks() for name in used}
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _unreadable(source.file, source.format, error) from error


def _require_bounded(file: Path) -> None:
    """Raise DataError where a Parquet file is more than fits, by what it says of itself.

    Nothing is asked about single columns: pyarrow ends the process where that is damaged.
    """
    import pyarrow.parquet as pq

    about = pq.read_metadata(file)
    if about.num_rows > MAX_ROWS:
        raise DataError(f"{file}: {about.num_rows} rows, {MAX_ROWS} fit; thin it")
    groups = map(about.row_group, range(about.num_row_groups))
    total = sum(group.total_byte_size for group in groups)
    if total > MAX_COLUMN_BYTES:
        raise DataError(
            f"{file}: {total} bytes unpacked, {MAX_COLUMN_BYTES} fit; leave out columns, or thin it"
        )


def _parse(source: _Source, used: list[str]) -> Any:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    text, delimiter = source.text, _DELIMITERS[source.format]
    if len(delimiter) > 1:  # pyarrow knows single characters only
        text, delimiter = text.replace(delimiter.encode(), b"\t"), "\t"
    headless = source.names is _MOVIELENS_NAMES
    read = arrow_csv.ReadOptions(column_names=source.names, skip_rows=0 if headless else 1)
    split = arrow_csv.ParseOptions(delimiter=delimiter, quote_char=False if headless else '"')
    # Everything as text, so that a wrong value can be shown as it stands in the file.
    convert = arrow_csv.ConvertOptions(
        column_types={name: pa.string() for name in used},
        include_columns=used,
        null_values=_NULLS,
        strings_can_be_null=True,
    )
    return arrow_csv.read_csv(io.BytesIO(text), read, split, convert)


def _unreadable(file: Path, form: str, error: BaseException) -> DataError:
    return DataError(f"{file}: not readable as {form}: {_line(error)}; check format and content")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
