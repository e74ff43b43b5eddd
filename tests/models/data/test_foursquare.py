"""Check-ins with places from two arrays: what they give, and how each defect is told."""

import gzip
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.data.foursquare import is_check_ins, load_check_ins
from droidloop.platform.errors import DataError

VISITS = np.array([[7, 3, 10], [7, 1, 5], [2, 3, 0]], np.int32)
POSITIONS = np.array([[3.0, 40.5, -74.0], [1.0, 40.7, -73.9], [9.0, 41.0, -73.0]])


def saved(values: Any) -> bytes:
    stream = io.BytesIO()
    np.save(stream, values)
    return stream.getvalue()


def folder(path: Path, visits: Any = VISITS, positions: Any = POSITIONS) -> Path:
    (path / "NYC.npy").write_bytes(visits if isinstance(visits, bytes) else saved(visits))
    (path / "NYC_POI.npy").write_bytes(
        positions if isinstance(positions, bytes) else saved(positions)
    )
    return path


def test_items_are_all_venues_in_order_and_times_are_seconds(tmp_path: Path) -> None:
    events, places = load_check_ins(folder(tmp_path))
    assert events.item_labels.tolist() == places.labels.tolist() == [1, 3, 9]
    assert events.items.tolist() == [1, 0, 1]
    assert events.user_labels.tolist() == [2, 7]
    assert events.users.tolist() == [1, 1, 0]
    assert events.times_s.tolist() == [600, 300, 0]
    assert places.latitude.tolist() == [40.7, 40.5, 41.0]
    assert places.category.tolist() == [-1, -1, -1]
    assert is_check_ins(tmp_path)
    assert not is_check_ins(tmp_path / "elsewhere")


def test_packed_files_give_the_same(tmp_path: Path) -> None:
    for name, values in (("NYC", VISITS), ("NYC_POI", POSITIONS)):
        (tmp_path / f"{name}.npy.gz").write_bytes(gzip.compress(saved(values)))
    events, _ = load_check_ins(tmp_path)
    assert events.items.tolist() == [1, 0, 1]


def test_arrays_by_column_and_of_other_whole_numbers_are_read(tmp_path: Path) -> None:
    events, _ = load_check_ins(folder(tmp_path, np.asfortranarray(VISITS.astype(np.uint16))))
    assert events.times_s.tolist() == [600, 300, 0]


def with_value(values: Any, row: int, column: int, value: float) -> Any:
    values = values.copy()
    values[row, column] = value
    return values


MALFORMED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no folder": (lambda p: p / "none", "no such folder"),
    "no file": (lambda p: p, "has no NYC_POI.npy"),
    "not an array": (lambda p: folder(p, b"user,item\n"), "not readable as a numpy array"),
    "nothing": (lambda p: folder(p, b""), "not readable as a numpy array"),
    "cut short": (lambda p: folder(p, saved(VISITS)[:-4]), "a header that promises"),
    "a pickle": (lambda p: folder(p, pickle.dumps([1])), "not readable as a numpy array"),
    "objects": (lambda p: folder(p, saved(np.array([[1, "a", None]]))), "numpy array"),
    "text": (lambda p: folder(p, np.array([["a", "b", "c"]])), "whole numbers"),
    "fractions": (lambda p: folder(p, VISITS * 1.0), "whole numbers"),
    "two columns": (lambda p: folder(p, VISITS[:, :2]), "rows of three numbers"),
    "no rows": (lambda p: folder(p, VISITS[:0]), "rows of three numbers"),
    "one number": (lambda p: folder(p, np.int64(3)), "rows of three numbers"),
    "an early minute": (lambda p: folder(p, with_value(VISITS, 1, 2, -1)), "row 2: minute -1"),
    "a late minute": (
        lambda p: folder(p, with_value(VISITS.astype(np.int64), 1, 2, 2**50)),
        "row 2: minute",
    ),
    "an unknown venue": (lambda p: folder(p, with_value(VISITS, 2, 1, 4)), "row 3: venue 4"),
    "a pole too far": (
        lambda p: folder(p, VISITS, with_value(POSITIONS, 0, 1, 91)),
        "row 1: latitude 91",
    ),
    "no number": (
        lambda p: folder(p, VISITS, with_value(POSITIONS, 1, 2, np.nan)),
        "row 2: longitude nan",
    ),
    "half a venue": (
        lambda p: folder(p, VISITS, with_value(POSITIONS, 1, 0, 1.5)),
        "row 2: venue 1.5",
    ),
    "a venue twice": (
        lambda p: folder(p, VISITS, with_value(POSITIONS, 2, 0, 1)),
        "row 3: venue 1.0 occurs twice",
    ),
}


@pytest.mark.parametrize(("make", "told"), MALFORMED.values(), ids=MALFORMED)
def test_every_defect_is_one_line(tmp_path: Path, make: Callable[[Path], Path], told: str) -> None:
    with pytest.raises(DataError) as caught:
        load_check_ins(make(tmp_path))
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("tail", [b"", b"\x00\x01rubbish"], ids=["cut", "corrupt"])
def test_a_broken_archive_is_one_line(tmp_path: Path, tail: bytes) -> None:
    folder(tmp_path)
    (tmp_path / "NYC.npy").unlink()
    packed = gzip.compress(saved(np.tile(VISITS, (500, 1))))
    (tmp_path / "NYC.npy.gz").write_bytes(packed[:40] + tail)
    with pytest.raises(DataError, match=r"cannot be read"):
        load_check_ins(tmp_path)


def test_a_header_that_promises_the_world_takes_no_memory(tmp_path: Path) -> None:
    data = saved(VISITS).replace(b"(3, 3), }         ", b"(3, 3000000000), }", 1)
    assert b"3000000000" in data
    with pytest.raises(DataError, match="a header that promises"):
        load_check_ins(folder(tmp_path, data))


def test_foursquare_has_the_counts_that_its_readme_states(shared: Path) -> None:
    events, places = load_check_ins(shared / "data" / "foursquare-nyc")
    assert (events.n_users, events.n_items, len(events)) == (1083, 5135, 147_938)
    pairs = np.unique(np.stack([events.users, events.items]), axis=1)
    assert pairs.shape[1] == 36_140
    assert round(float(places.latitude.min()), 3) == 40.557
    assert round(float(places.longitude.max()), 3) == -73.692
    assert events.times_s.max() == 458_435 * 60
