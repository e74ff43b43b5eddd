"""Columns of a file that nobody vouches for, turned into numbers and labels.

What cannot be used is a ``DataError`` that names the file, the row (counted from 1, without the
header), the value and the remedy.
"""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.errors import DataError

from .interactions import Labels

MAX_LABEL_LENGTH = 256
MAX_TIME_S = 2**53


def numbered(file: Path, name: str, column: Any) -> tuple[IntArray, Labels]:
    """Number the values of *column* from 0; return the numbers and the labels that they stand for.

    Whole numbers are labels in the order of their value, anything else in the order of its text.
    """
    import pyarrow as pa

    if column.null_count:
        row = int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
        raise unfit(file, row, name, "", "is missing")
    if pa.types.is_floating(column.type):
        odd = ~np.isfinite(column.to_numpy(zero_copy_only=False))
        if odd.any():
            row = int(np.argmax(odd))
            raise unfit(file, row, name, column[row].as_py(), "names nobody and nothing")
    if pa.types.is_dictionary(column.type):  # may hold values that no row uses
        column = column.dictionary_decode()
    if pa.types.is_nested(column.type):
        raise DataError(f"{file}: column {name!r} holds {column.type}; use numbers or text")
    encoded = column.dictionary_encode()
    labels = _labels(file, name, encoded.dictionary)
    order = np.argsort(labels, kind="stable")
    number = np.empty(len(labels), np.int64)
    number[order] = np.arange(len(labels))
    return number[encoded.indices.to_numpy()], labels[order]


def numbers(file: Path, name: str, column: Any) -> FloatArray:
    """Return *column* as floats, NaN where it is null."""
    import pyarrow as pa

    values = _cast(column, pa.float64())
    if values is not None:
        return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
    for row, value in enumerate(column):
        if _cast(value, pa.float64()) is None:
            raise unfit(file, row, name, value.as_py(), "is no number")
    raise DataError(f"{file}: column {name!r} holds {column.type}; use numbers")


def ratings(file: Path, name: str, column: Any, first: int = 0) -> FloatArray:
    """Return *column*, the rows of a file from *first* on, as finite, non-negative ratings."""
    values = numbers(file, name, column)
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        row, remedy = int(np.argmax(wrong)), ", or read the data without ratings"
        complaint = "is negative" if values[row] < 0 else "is no finite number"
        value = column[row].as_py()
        if value is None:
            raise unfit(file, first + row, name, "", "is missing", remedy)
        raise unfit(file, first + row, name, value, complaint, remedy)
    return values


def times(
    file: Path, name: str, column: Any, first: int = 0, unit: float | None = None
) -> IntArray:
    """Return *column* as whole seconds from 0 on, rounded down; -1 where it is null.

    It holds the rows of a file from *first* on: numbers, of which *unit* make a second (None:
    ``unit_of`` tells), or moments as ISO 8601 writes them (of UTC where they name no zone).
    """
    import pyarrow as pa

    moments = column if pa.types.is_temporal(column.type) else _moments(column)
    if moments is not None:
        column_s = moments.cast(pa.timestamp("us")).cast(pa.int64())
        values, per_s = numbers(file, name, column_s), 1e6
    else:
        try:
            values = numbers(file, name, column)
        except DataError as error:
            raise DataError(f"{error}, or give times as seconds or ISO 8601") from error
        per_s = unit or unit_of(values)
    values = values / per_s
    unknown = np.isnan(values)
    wrong = ~unknown & ~((values >= 0) & (values < MAX_TIME_S))
    if wrong.any():
        row = int(np.argmax(wrong))
        value = column[row].as_py()
        raise unfit(file, first + row, name, value, "is no time in seconds from 0 on")
    return np.where(unknown, -1, np.floor(values)).astype(np.int64)


def unit_of(values: FloatArray) -> float:
    """Return how many of the units of *values* make a second: 1, or 1000 and its powers.

    All of seconds from 1e11 on lie in the year 5138 or later, all of milliseconds below it before
    March 1973: so times of which none is below are milliseconds, and so on.
    """
    known = values[np.isfinite(values)]
    least = float(known.min()) if len(known) else 0.0
    return next((unit for unit in (1e9, 1e6, 1e3) if 1e8 * unit <= least < 1e11 * unit), 1.0)


def _moments(column: Any) -> Any:
    """Return text as moments of UTC, or None where not all of it is ISO 8601."""
    import pyarrow as pa

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    if column.null_count == len(column):
        return None
    naive = _cast(column, pa.timestamp("us"))
    return _cast(column, pa.timestamp("us", "UTC")) if naive is None else naive


def unfit(
    file: Path, row: int, name: str, value: object, complaint: str, remedy: str = ""
) -> DataError:
    """Return the error for one *value* that cannot be used."""
    shown = str(value)[:40]
    return DataError(
        f"{file}: row {row + 1}: {name} {shown!r} {complaint}; correct or remove the row{remedy}"
    )


def _labels(file: Path, name: str, values: Any) -> Labels:
    import pyarrow as pa

    whole = _cast(values, pa.int64())
    if whole is not None and len(whole.unique()) == len(values):  # '07' and '7' are two labels
        return np.asarray(whole.to_numpy(), np.int64)
    texts = _cast(values, pa.string())
    if texts is None:
        raise DataError(f"{file}: column {name!r} holds {values.type}; use numbers or text")
    longest = max(texts.to_pylist(), key=len, default="")
    if len(longest) > MAX_LABEL_LENGTH:
        shown = f"{longest[:20]!r}... has {len(longest)} characters"
        raise DataError(f"{file}: {name} {shown}; shorten it to {MAX_LABEL_LENGTH}")
    return np.array(texts.to_pylist(), dtype=np.str_)


def _cast(values: Any, kind: Any) -> Any:
    """Return *values* as *kind*, or None where one of them does not fit."""
    import pyarrow as pa

    try:
        return values.cast(kind)
    except pa.ArrowException:
        return None
