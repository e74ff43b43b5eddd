"""A file read a batch at a time gives the rows by user that it gives when read at once."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from droidloop.models.data.interactions import by_user
from droidloop.models.data.readers import Columns, load
from droidloop.models.data.streaming import stream
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError

ALL = Columns("user", "item", "rating", "time")


def file_of(folder: Path, *, text: bool = False, rows: int = 3000) -> Path:
    """Write a file of shuffled events with equal and unknown times; return its path."""
    draws, numbers = Draws(4, "stream"), np.arange(rows)
    users, items = draws.integers(numbers, 0, 90) * 7, draws.integers(numbers, 1, 200)
    times = pa.array(draws.integers(numbers, 2, 400), mask=draws.uniform(numbers, 3) < 0.1)
    if text:
        users = np.array([f"u{user}" for user in users.tolist()])
    rating = draws.integers(numbers, 4, 5) + 1.0
    table = pa.table({"user": users, "noise": rating, "item": items, "rating": rating})
    path = folder / "events.parquet"
    pq.write_table(table.append_column("time", times), path, row_group_size=700)
    return path


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("batch_rows", [1, 64, 100_000])
@pytest.mark.parametrize(
    "columns", [ALL, Columns(), Columns(time="time"), Columns(rating="rating")]
)
def test_batches_give_what_the_whole_file_gives(
    tmp_path: Path, columns: Columns, batch_rows: int, text: bool
) -> None:
    path = file_of(tmp_path, text=text, rows=300 if batch_rows == 1 else 3000)
    whole = load(path, columns=columns)
    expected, found = by_user(whole), stream(path, columns, batch_rows)
    assert np.array_equal(found.user_labels, whole.user_labels)
    assert np.array_equal(found.item_labels, whole.item_labels)
    for name in ("items", "offsets", "times_s", "ratings"):
        assert np.array_equal(getattr(found.data, name), getattr(expected, name)), name


def test_columns_that_are_not_asked_for_take_no_memory(tmp_path: Path) -> None:
    data = stream(file_of(tmp_path)).data
    assert data.times_s.strides == data.ratings.strides == (0,)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"user": pa.array([1, 2, None])}, "row 3: user '' is missing"),
        ({"rating": pa.array([1.0, -1.0, 2.0])}, "row 2: rating '-1.0' is negative"),
        ({"time": pa.array([1, 2, -5])}, "row 3: time '-5' is no time"),
    ],
)
def test_a_wrong_value_is_named_by_its_row_in_the_file(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    columns = {"user": [1, 2, 3], "item": [1, 2, 3], "rating": [1.0, 2.0, 3.0], "time": [1, 2, 3]}
    path = tmp_path / "wrong.parquet"
    pq.write_table(pa.table({**columns, **change}), path)
    with pytest.raises(DataError, match=message):
        stream(path, ALL, batch_rows=1)


def test_a_missing_column_names_those_that_are_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="has no column 'who'; name the right one among 'user'"):
        stream(file_of(tmp_path), Columns(user="who"))


def test_a_file_that_is_no_parquet_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    path.write_text("user,item\n1,2\n")
    with pytest.raises(DataError, match="cannot be read as parquet") as caught:
        stream(path)
    assert "\n" not in str(caught.value)


def test_a_file_without_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.parquet"
    empty = pa.array([], pa.int64())
    pq.write_table(pa.table({"user": empty, "item": empty}), path)
    with pytest.raises(DataError, match="holds no interaction"):
        stream(path)
