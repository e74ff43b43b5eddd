"""How pruned vectors are stored: whole, as coordinates, as rows or as a bit mask.

A number that is left out costs nothing; where the others stand does. Which form is the smallest
depends on how many are kept: `sizes` says it for all, and no form of 100,000 vectors of 128 numbers
with a quarter kept is smaller than 100,000 whole vectors of 32:

>>> {form: f"{size:,}" for form, size in sizes(100_000, 128, 3_200_000).items()}
{'dense': '51,200,000', 'coordinates': '38,400,000', 'rows': '16,400,004', 'bits': '14,800,004'}
>>> f"{sizes(100_000, 32, 3_200_000)['dense']:,}"
'12,800,000'
"""

from typing import Literal

import numpy as np

from droidloop.platform.arrays import Array, BoolArray, Float32Array
from droidloop.platform.errors import PackageError

Form = Literal["dense", "coordinates", "rows", "bits"]

_OFFSET_BYTES = 4


def sizes(n: int, dim: int, kept: int) -> dict[Form, int]:
    """Return the bytes of *n* vectors of *dim* float32 numbers, of which *kept* are stored.

    - dense: 4 bytes a number, zeros too;
    - coordinates: of each number that is kept its value, row and column, 4 bytes each;
    - rows (compressed sparse rows): value and column, the latter as short as it can be, and where
      each row begins;
    - bits: values, a bit a number (whole bytes a row), and where each row's values begin.
    """
    offsets = _OFFSET_BYTES * (n + 1)
    return {
        "dense": 4 * n * dim,
        "coordinates": 12 * kept,
        "rows": kept * (4 + column_type(dim).itemsize) + offsets,
        "bits": 4 * kept + n * -(-dim // 8) + offsets,
    }


def smallest(n: int, dim: int, kept: int) -> Form:
    """Return the form that takes the fewest bytes; of equals the first."""
    found = sizes(n, dim, kept)
    return min(found, key=lambda form: found[form])


def column_type(dim: int) -> np.dtype[np.unsignedinteger]:
    """Return the shortest type that holds columns below *dim*."""
    return np.min_scalar_type(dim - 1)


def encode(form: Form, values: Float32Array, kept: BoolArray) -> bytes:
    """Return the numbers of *values*, (n, dim), that are *kept*, little-endian, in *form*."""
    rows, columns = np.nonzero(kept)
    numbers = values[rows, columns].astype("<f4").tobytes()
    offsets = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype("<u4").tobytes()
    match form:
        case "dense":
            return np.where(kept, values, 0).astype("<f4").tobytes()
        case "coordinates":
            return numbers + rows.astype("<u4").tobytes() + columns.astype("<u4").tobytes()
        case "rows":
            little = column_type(values.shape[1]).newbyteorder("<")
            return offsets + numbers + columns.astype(little).tobytes()
        case "bits":
            return offsets + numbers + np.packbits(kept, axis=1, bitorder="little").tobytes()


def decode(form: Form, data: bytes, n: int, dim: int, kept: int) -> Float32Array:
    """Return the vectors that ``encode`` was given, zeros where a number was not kept.

    Raises:
        PackageError: *data* are no such vectors.
    """
    if len(data) != sizes(n, dim, kept)[form]:
        raise _broken(f"{len(data)} bytes")
    if form == "dense":
        return np.frombuffer(data, "<f4").astype(np.float32).reshape(n, dim)
    values = np.zeros((n, dim), np.float32)
    if form == "coordinates":
        numbers, places = np.frombuffer(data, "<f4", kept), np.frombuffer(data, "<u4", -1, 4 * kept)
        rows, columns = places[:kept].astype(np.int64), places[kept:].astype(np.int64)
        if (rows >= n).any() or (columns >= dim).any():
            raise _broken("a place outside")
    else:
        rows = _rows(np.frombuffer(data, "<u4", n + 1).astype(np.int64), kept)
        start = _OFFSET_BYTES * (n + 1)
        numbers = np.frombuffer(data, "<f4", kept, start)
        columns = _columns(form, data[start + 4 * kept :], rows, n, dim)
    flat = rows * dim + columns
    if len(np.unique(flat)) != kept:
        raise _broken("a place that is filled twice")
    values[rows, columns] = numbers
    return values


def _rows(offsets: Array, kept: int) -> Array:
    """Return the row of each number, by where the rows begin."""
    if offsets[0] != 0 or offsets[-1] != kept or (np.diff(offsets) < 0).any():
        raise _broken("rows that do not begin one after the other")
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def _columns(form: Form, data: bytes, rows: Array, n: int, dim: int) -> Array:
    if form == "rows":
        columns = np.frombuffer(data, column_type(dim).newbyteorder("<")).astype(np.int64)
        if (columns >= dim).any():
            raise _broken("a column outside")
        return columns
    masks = np.frombuffer(data, np.uint8).reshape(n, -1)
    there, columns = np.nonzero(np.unpackbits(masks, axis=1, count=dim, bitorder="little"))
    if not np.array_equal(there, rows):
        raise _broken("rows whose bits are not as many as their numbers")
    return columns


def _broken(what: str) -> PackageError:
    return PackageError(f"pruned vectors with {what}; pack them again")
