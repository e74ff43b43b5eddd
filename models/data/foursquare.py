"""Reader of check-ins with places: the two arrays of foursquare-nyc, ``.npy`` or ``.npy.gz``.

The files are numpy arrays that nobody vouches for: nothing pickled is ever loaded, and sizes are
checked before memory is taken.
"""

import io
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from droidloop.platform.errors import DataError
from droidloop.platform.reading import unpacked

from .interactions import Interactions
from .places import UNKNOWN, Places
from .readers import MAX_TEXT_BYTES
from .text_columns import MAX_TIME_S

VISITS, POSITIONS = "NYC.npy", "NYC_POI.npy"

_MINUTE_S = 60


def load_check_ins(folder: Path) -> tuple[Interactions, Places]:
    """Read ``NYC.npy`` (user, venue, minute) and ``NYC_POI.npy`` (venue, latitude, longitude).

    Items are all venues of the second file, in the order of their numbers; ``times_s`` are seconds
    since the source's unstated zero, so an hour of the day is right but for one constant. No
    category is known. Events stay in the order of the file.

    Raises:
        DataError: a file is missing, or holds anything but what is said here.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give the folder of {VISITS} and {POSITIONS}")
    places = _places(*_array(folder, POSITIONS))
    file, rows = _array(folder, VISITS)
    if rows.dtype.kind not in "iu":
        raise DataError(f"{file}: holds {rows.dtype}; user, venue and minute are whole numbers")
    users, venues, minutes = rows.astype(np.int64).T
    _refuse(file, "minute", minutes, (minutes < 0) | (minutes >= MAX_TIME_S // _MINUTE_S))
    items = np.searchsorted(places.labels, venues).clip(max=len(places) - 1)
    _refuse(file, "venue", venues, places.labels[items] != venues)
    labels, numbers = np.unique(users, return_inverse=True)
    events = Interactions(
        users=numbers.astype(np.int64),
        items=items,
        ratings=np.ones(len(rows)),
        times_s=minutes * _MINUTE_S,
        user_labels=labels,
        item_labels=places.labels,
    )
    return events, places


def is_check_ins(path: Path) -> bool:
    """Return whether *path* is a folder with a file of check-ins."""
    return any((Path(path) / f"{VISITS}{ending}").is_file() for ending in ("", ".gz"))


def _places(file: Path, rows: Any) -> Places:
    if rows.dtype.kind not in "iuf":
        raise DataError(f"{file}: holds {rows.dtype}; venue, latitude and longitude are numbers")
    venues, latitude, longitude = rows.astype(np.float64).T
    whole = np.isfinite(venues) & (venues == np.floor(venues)) & (np.abs(venues) < 2**53)
    _refuse(file, "venue", venues, ~whole)
    _refuse(file, "latitude", latitude, ~(np.abs(latitude) <= 90))
    _refuse(file, "longitude", longitude, ~(np.abs(longitude) <= 180))
    order = np.argsort(venues, kind="stable")
    labels = venues[order].astype(np.int64)
    twice = np.zeros(len(venues), np.bool_)
    twice[order[1:]] = labels[1:] == labels[:-1]
    _refuse(file, "venue", venues, twice, "occurs twice")
    return Places(latitude[order], longitude[order], np.full(len(order), UNKNOWN), labels)


def _refuse(file: Path, name: str, values: Any, wrong: Any, why: str = "cannot be used") -> None:
    if wrong.any():
        row = int(np.argmax(wrong))
        raise DataError(
            f"{file}: row {row + 1}: {name} {values[row]} {why}; correct or remove the row"
        )


def _array(folder: Path, name: str) -> tuple[Path, Any]:
    """Return the file that was found and its array, three columns and one row at least."""
    found = [file for file in (folder / name, folder / f"{name}.gz") if file.is_file()]
    if not found:
        raise DataError(f"{folder}: has no {name} and no {name}.gz; add the file")
    file = found[0]
    rows = _parsed(file, unpacked(file, MAX_TEXT_BYTES))
    if rows.ndim != 2 or rows.shape[1] != 3 or len(rows) == 0:
        raise DataError(f"{file}: an array of shape {rows.shape}; give rows of three numbers")
    return file, rows


def _parsed(file: Path, data: bytes) -> Any:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version} of the format")
        first = version == (1, 0)
        read = np.lib.format.read_array_header_1_0 if first else np.lib.format.read_array_header_2_0
        shape, by_column, dtype = read(stream)
        count = int(np.prod(shape, dtype=object))
        if dtype.hasobject or count * dtype.itemsize != len(data) - stream.tell():
            raise ValueError(f"a header that promises {shape} of {dtype}, and other content")
        values = np.frombuffer(data, dtype, count, stream.tell())
    except (ValueError, TypeError, SyntaxError, EOFError, TokenError) as error:
        raise DataError(
            f"{file}: not readable as a numpy array: {_line(error)}; save it with numpy.save"
        ) from error
    return values.reshape(shape, order="F" if by_column else "C")


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
