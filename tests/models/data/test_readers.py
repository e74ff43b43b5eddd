"""Readers: what each format gives, and how each defect is told."""

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from droidloop.models.data.readers import Columns, load, load_flags
from droidloop.platform.errors import DataError

RATINGS = "10\t7\t4\t100\n2\t30\t1\t50\n10\t30\t5\t90\n"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_movielens_100k_is_read_with_labels_in_the_order_of_their_value(tmp_path: Path) -> None:
    data = load(written(tmp_path / "u.data", RATINGS))
    assert data.user_labels.tolist() == [2, 10]
    assert data.item_labels.tolist() == [7, 30]
    assert data.users.tolist() == [1, 0, 1]
    assert data.items.tolist() == [0, 1, 1]
    assert data.ratings.tolist() == [4.0, 1.0, 5.0]
    assert data.times_s.tolist() == [100, 50, 90]


def same(one: object, other: object) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("users", "items", "ratings", "times_s", "user_labels", "item_labels")
    )


def test_every_format_of_the_same_events_gives_the_same_data(tmp_path: Path) -> None:
    first = load(written(tmp_path / "u.data", RATINGS))
    rows = [line.split("\t") for line in RATINGS.splitlines()]
    header = "userId,movieId,rating,timestamp\n"
    (tmp_path / "zipped").mkdir()
    (tmp_path / "zipped" / "u.data.gz").write_bytes(gzip.compress(RATINGS.encode()))
    columns = [[int(row[k]) for row in rows] for k in range(4)]
    table = pa.table(dict(zip(("user", "item", "rating", "timestamp"), columns, strict=True)))
    pq.write_table(table, tmp_path / "interactions.parquet")
    others = [
        written(tmp_path / "ratings.dat", RATINGS.replace("\t", "::")),
        written(tmp_path / "a.csv", header + RATINGS.replace("\t", ",")),
        written(tmp_path / "a.tsv", header.replace(",", "\t") + RATINGS),
        tmp_path / "interactions.parquet",
        tmp_path / "zipped",
    ]
    assert [same(first, load(path)) for path in others] == [True] * 5


def test_named_columns_are_read_and_a_rating_that_is_not_named_counts_as_one(
    tmp_path: Path,
) -> None:
    file = written(tmp_path / "x.csv", 'who,"what, exactly",stars\nann,b,-3\nbob,a,\nann,a,x\n')
    data = load(file, columns=Columns("who", "what, exactly"))
    assert data.user_labels.tolist() == ["ann", "bob"]
    assert data.item_labels.tolist() == ["a", "b"]
    assert data.users.tolist() == [0, 1, 0]
    assert data.items.tolist() == [1, 0, 0]
    assert data.ratings.tolist() == [1.0, 1.0, 1.0]
    assert data.times_s.tolist() == [-1, -1, -1]


def test_a_missing_time_is_unknown_and_a_fraction_is_cut(tmp_path: Path) -> None:
    file = written(tmp_path / "x.csv", "user,item,time\n1,1,\n1,2,7.9\n1,3,8\n")
    assert load(file).times_s.tolist() == [-1, 7, 8]


def test_parquet_timestamps_become_seconds(tmp_path: Path) -> None:
    moments = pa.array([1_500_000, None], pa.timestamp("us"))
    table = pa.table({"user": [1, 1], "item": [1, 2], "time": moments})
    pq.write_table(table, tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").times_s.tolist() == [1, -1]


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (("1970-01-01T00:00:07", "1970-01-02 00:00:00", ""), [7, 86400, -1]),
        (("1970-01-01T00:00:07Z", "1970-01-01T01:00:00+01:00"), [7, 0]),
        (("2024-02-29", "1970-01-01"), [1709164800, 0]),
        (("1970-01-01T00:00:07.999", "1970-01-01T00:00:08.5"), [7, 8]),
        (("1709164800123", "1709164801999"), [1709164800, 1709164801]),
        (("1709164800123456", "1709164801999999"), [1709164800, 1709164801]),
        (("1709164800123456789", "1709164801500000000"), [1709164800, 1709164801]),
        (("1709164800", "3"), [1709164800, 3]),
    ],
    ids=["naive", "zones", "dates", "fractions", "ms", "us", "ns", "seconds"],
)
def test_moments_and_finer_units_become_seconds(
    tmp_path: Path, cells: tuple[str, ...], seconds: list[int]
) -> None:
    rows = "".join(f"1,{k},{cell}\n" for k, cell in enumerate(cells))
    assert load(written(tmp_path / "x.csv", f"user,item,time\n{rows}")).times_s.tolist() == seconds


def test_dates_of_parquet_become_seconds(tmp_path: Path) -> None:
    table = pa.table({"user": [1], "item": [1], "time": pa.array([1], pa.date32())})
    pq.write_table(table, tmp_path / "x.parquet")
    assert load(tmp_path / "x.parquet").times_s.tolist() == [86400]


def test_duplicate_events_are_kept(tmp_path: Path) -> None:
    assert len(load(written(tmp_path / "u.data", "1\t1\t1\t1\n1\t1\t1\t1\n"))) == 2


def test_labels_that_are_the_same_number_stay_two_labels(tmp_path: Path) -> None:
    data = load(written(tmp_path / "x.csv", "user,item\n07,1\n7,1\n"))
    assert data.user_labels.tolist() == ["07", "7"]


def test_flags_are_true_where_neither_zero_nor_missing(tmp_path: Path) -> None:
    file = written(tmp_path / "x.csv", "user,item,test\n1,1,0\n1,2,1\n1,3,\n")
    assert load_flags(file, "test").tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("u.data", "", r"u\.data: is empty; give a file"),
        ("x.csv", "user,item\n", r"x\.csv: holds no interaction; give a file"),
        ("u.data", "1\t1\tnan\t1\n", r"row 1: rating 'nan' is no finite number; correct or"),
        ("u.data", "1\t1\t3\t1\n1\t2\tinf\t1\n", r"row 2: rating 'inf' is no finite number"),
        ("u.data", "1\t1\t-1\t1\n", r"row 1: rating '-1' is negative; correct or remove"),
        ("u.data", "1\t1\tgood\t1\n", r"row 1: rating 'good' is no number; correct or"),
        ("u.data", "1\t1\t\t1\n", r"row 1: rating '' is missing; correct or remove the row, or"),
        ("u.data", "1\t1\t3\tnoon\n", r"row 1: time 'noon' is no number; .* ISO 8601"),
        ("x.csv", "user,item,time\n1,1,1969-01-01\n", r"row 1: time '1969-01-01' is no time in"),
        ("u.data", "1\t1\t3\t-5\n", r"row 1: time '-5' is no time in seconds from 0 on"),
        ("u.data", "1\t1\t3\t1e300\n", r"row 1: time '1e300' is no time in seconds"),
        ("u.data", "1\t1\t3\t1\n\t1\t3\t1\n", r"row 2: user '' is missing; correct or remove"),
        ("u.data", "1\t1\t3\n", r"not readable as ml-100k: .*4.*3.*; check format"),
        ("x.csv", "user,thing\n1,1\n", r"has no column 'item'; name the right one among 'user'"),
        ("x.csv", "user,item,user\n1,1,1\n", r"has column 'user' twice; rename one"),
        ("x.csv", f"user,item\n1,{'a' * 300}\n", r"item 'a+'\.\.\. has 300 characters; shorten"),
        ("x.json", "{}", r"x\.json: unknown kind of file; set the format to ml-100k, ml-1m"),
        ("x.parquet", "not parquet", r"not readable as parquet: .*; check format and content"),
        ("u.data.gz", "not zipped", r"u\.data\.gz: cannot be read: .*; check the file"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        load(written(tmp_path / name, text))
    assert "\n" not in str(caught.value)
    assert str(tmp_path / name) in str(caught.value)


def test_a_missing_file_an_empty_folder_and_an_unknown_format_are_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: no such file or folder; check the path"):
        load(tmp_path / "none.csv")
    with pytest.raises(DataError, match=r"no usual data file \(u\.data, ratings\.dat, .* path"):
        load(tmp_path)
    with pytest.raises(DataError, match=r"format 'xls' is unknown; choose one of ml-100k"):
        load(tmp_path, "xls")


def test_text_beyond_the_bound_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("droidloop.models.data.readers.MAX_TEXT_BYTES", 10)
    with pytest.raises(DataError, match=r"more than 10 bytes; give a smaller file"):
        load(written(tmp_path / "u.data", RATINGS))


def test_a_column_of_lists_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"user": [[1], [2]], "item": [1, 2]}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match=r"column 'user' holds list<.*>; use numbers or text"):
        load(tmp_path / "x.parquet")


def test_the_real_movielens_100k_has_its_published_counts(shared: Path) -> None:
    data = load(shared / "data" / "ml-100k")
    assert (data.n_users, data.n_items, len(data)) == (943, 1682, 100_000)
    assert np.count_nonzero(data.ratings >= 4) == 55_375


def test_the_joined_movielens_1m_is_refused_with_ratings_and_read_without(shared: Path) -> None:
    folder = shared / "data" / "ml-1m"
    with pytest.raises(DataError, match=r"row \d+: rating '' is missing; .* without ratings"):
        load(folder)
    data = load(folder, columns=Columns("user", "item", time="timestamp"))
    assert (data.n_users, data.n_items, len(data)) == (6040, 3706, 1_000_209)
    assert np.count_nonzero(data.times_s < 0) == 335_450
    assert np.count_nonzero(load_flags(folder, "loo_test")) == 6040
