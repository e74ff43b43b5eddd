"""The ledger: equal rows give equal bytes, and a reader sees whole segments or none."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from droidloop.platform import ledger as module
from droidloop.platform.draws import Draws
from droidloop.platform.errors import LedgerError
from droidloop.platform.ledger import (
    WINDOW_US,
    Ledger,
    Rows,
    columns_of,
    read,
    segments,
    texts,
)
from droidloop.platform.tables import TABLES

DRAWS = Draws(5, "ledger")
EVENT: dict[str, Any] = {"kind": "test", "phone": -1, "round": 0, "name": "", "value": 1}


def random_rows(table: str, count: int, windows: int = 3) -> Rows:
    """Return *count* rows of *table* as a reader gets them, with many equal times."""
    columns = TABLES[table].columns
    kinds = [(one.name, "S40" if one.kind is str else one.kind) for one in columns]
    rows = np.zeros(count, np.dtype(kinds))
    numbers = np.arange(count)
    for column, one in enumerate(columns):
        kind = rows.dtype[one.name].kind
        if kind == "S":
            words = np.array(["", "a", "urban", "x" * 40])
            rows[one.name] = words[DRAWS.integers(numbers, column, 4)]
        elif kind == "f":
            rows[one.name] = DRAWS.uniform(numbers, column)
        else:
            bits = rows.dtype[one.name].itemsize
            high = {1: 2 if kind == "b" else 100, 2: 1000, 4: 2**30, 8: 2**31 - 1}[bits]
            rows[one.name] = DRAWS.integers(numbers, column, high)
    minutes = WINDOW_US // 60_000_000
    rows[TABLES[table].time] = DRAWS.integers(numbers, 99, windows * minutes) * 60_000_000
    # one row a phone and time in "devices"; any number of them in the others
    rows["phone"] = numbers if table == "devices" else DRAWS.integers(numbers, 98, 50)
    return rows


def put(ledger: Ledger, table: str, rows: Rows) -> None:
    ledger.note(table, **columns_of(table, rows))


def files(folder: Path) -> dict[str, bytes]:
    """Return every file below *folder*, by its relative name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def written(folder: Path, batches: list[tuple[str, Rows]]) -> dict[str, bytes]:
    """Write *batches* in turn, close, and return the files."""
    ledger = Ledger(folder)
    for table, rows in batches:
        put(ledger, table, rows)
    ledger.close()
    return files(folder)


@pytest.mark.parametrize("table", list(TABLES))
def test_what_was_written_is_read(tmp_path: Path, table: str) -> None:
    rows = random_rows(table, 500)
    ledger = Ledger(tmp_path)
    put(ledger, table, rows)
    ledger.close()
    found = read(tmp_path, table)
    assert found.dtype == rows.dtype
    assert np.array_equal(np.sort(found), np.sort(rows))
    order = TABLES[table].order
    assert np.array_equal(found[list(order)], np.sort(found[list(order)]))


def test_a_table_without_rows_is_empty_and_has_no_file(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.write("jobs", np.zeros(0, TABLES["jobs"].dtype))
    ledger.close()
    assert len(read(tmp_path, "jobs")) == 0
    assert files(tmp_path) == {}


@pytest.mark.parametrize("seed", range(4))
def test_bytes_do_not_depend_on_the_order_of_writing_or_on_the_batches(
    tmp_path: Path, seed: int
) -> None:
    """Rows of all tables, once in one batch each and once in shuffled crumbs, mixed."""
    draws = Draws(seed, "crumbs")
    whole = {table: random_rows(table, 400) for table in TABLES}
    crumbs = []
    for number, (table, rows) in enumerate(whole.items()):
        order = draws.order(np.arange(len(rows)), number)
        cuts = np.sort(draws.integers(np.arange(9), number, len(rows)))
        crumbs += [(table, rows[piece]) for piece in np.split(order, cuts)]
    crumbs = [crumbs[k] for k in draws.order(np.arange(len(crumbs)), 99)]
    expected = written(tmp_path / "whole", list(whole.items()))
    assert written(tmp_path / "crumbs", crumbs) == expected
    assert len(expected) == 3 * len(TABLES)


def test_bytes_do_not_depend_on_when_the_ledger_advances(tmp_path: Path) -> None:
    """A cohort writes at the end of its jobs, a checkpoint comes at any time."""
    rows = random_rows("jobs", 300)
    expected = written(tmp_path / "closed", [("jobs", rows)])
    ledger = Ledger(tmp_path / "advanced")
    for start_us in range(0, 3 * WINDOW_US, WINDOW_US // 4):
        ledger.advance(start_us)
        times = rows["finish_us"]
        ledger.write("jobs", rows[(times >= start_us) & (times < start_us + WINDOW_US // 4)])
    ledger.close()
    assert files(tmp_path / "advanced") == expected


@pytest.mark.parametrize("threads", [1, 8])
def test_bytes_do_not_depend_on_the_threads_of_pyarrow(tmp_path: Path, threads: int) -> None:
    rows = random_rows("jobs", 70_000, windows=1)
    expected = written(tmp_path / "as-is", [("jobs", rows)])
    cpu, io = pa.cpu_count(), pa.io_thread_count()
    try:
        pa.set_cpu_count(threads)
        pa.set_io_thread_count(threads)
        assert written(tmp_path / "threads", [("jobs", rows)]) == expected
    finally:
        pa.set_cpu_count(cpu)
        pa.set_io_thread_count(io)


def test_a_row_in_the_next_window_is_in_the_next_segment(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.note("events", t_us=[0, WINDOW_US - 1, WINDOW_US, 3 * WINDOW_US], **EVENT)
    ledger.advance(WINDOW_US - 1)
    assert list(segments(tmp_path, "events")) == []
    ledger.advance(WINDOW_US)
    ledger.wait()
    assert [path.name for path in segments(tmp_path, "events")] == ["000000.parquet"]
    ledger.close()
    times = [pq.read_table(path)["t_us"].to_pylist() for path in segments(tmp_path, "events")]
    assert times == [[0, WINDOW_US - 1], [WINDOW_US], [3 * WINDOW_US]]


def test_a_window_with_many_rows_is_cut_at_a_fixed_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SEGMENT_ROWS", 100)
    rows = random_rows("jobs", 350, windows=1)
    ledger = Ledger(tmp_path)
    ledger.write("jobs", rows)
    ledger.close()
    sizes = [pq.read_metadata(path).num_rows for path in segments(tmp_path, "jobs")]
    assert sizes == [100, 100, 100, 50]
    assert np.array_equal(np.sort(read(tmp_path, "jobs")), np.sort(rows))


def test_a_row_of_a_written_window_is_refused(tmp_path: Path) -> None:
    """It would make a second segment of that window: other bytes for the same rows."""
    ledger = Ledger(tmp_path)
    ledger.advance(2 * WINDOW_US)
    with pytest.raises(ValueError, match="events: rows of window 1, which has been written"):
        ledger.note("events", t_us=2 * WINDOW_US - 1, **EVENT)
    with pytest.raises(ValueError, match="rows of window -1"):
        Ledger(tmp_path).note("events", t_us=-1, **EVENT)


def test_a_caller_may_use_its_rows_again(tmp_path: Path) -> None:
    rows = random_rows("jobs", 20)
    expected = written(tmp_path / "a", [("jobs", rows.copy())])
    ledger = Ledger(tmp_path / "b")
    ledger.write("jobs", rows)
    rows[:] = 0
    ledger.close()
    assert files(tmp_path / "b") == expected


def test_no_temporary_file_is_left(tmp_path: Path) -> None:
    names = written(tmp_path, [(table, random_rows(table, 50)) for table in TABLES])
    assert {Path(name).suffix for name in names} == {".parquet"}


@pytest.mark.parametrize("moment", ["while writing", "before renaming"])
def test_an_interrupted_write_leaves_no_segment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    ledger = Ledger(tmp_path)
    ledger.write("jobs", random_rows("jobs", 50, windows=1))

    def killed(*args: Any, **options: Any) -> None:
        if moment == "while writing":
            Path(args[1]).write_bytes(b"PAR1half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(
            *((pq, "write_table") if moment == "while writing" else (os, "replace")), killed
        )
        with pytest.raises(KeyboardInterrupt):
            ledger.close()
    assert list(segments(tmp_path, "jobs")) == []
    assert len(read(tmp_path, "jobs")) == 0


def test_a_full_disk_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(tmp_path)
    ledger.write("jobs", random_rows("jobs", 50, windows=1))

    def full(table: object, where: Path, **options: Any) -> None:
        where.write_bytes(b"PAR1half")
        raise OSError(28, "No space left on device\nDetail: something")

    monkeypatch.setattr(pq, "write_table", full)
    with pytest.raises(LedgerError, match=r"000000\.parquet: cannot be written \(.*No space") as e:
        ledger.close()
    assert "\n" not in str(e.value)
    assert files(tmp_path) == {}


def test_a_full_disk_in_the_middle_of_a_run_is_told_at_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", full)
    ledger = Ledger(tmp_path)
    ledger.write("jobs", random_rows("jobs", 50, windows=1))
    ledger.advance(WINDOW_US)
    with pytest.raises(LedgerError, match="No space left"):
        ledger.advance(2 * WINDOW_US)


def test_a_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("in the way")
    ledger = Ledger(tmp_path)
    ledger.write("jobs", random_rows("jobs", 5, windows=1))
    with pytest.raises(LedgerError, match="cannot be written"):
        ledger.close()


def damaged(tmp_path: Path, change: Any) -> str:
    """Write a segment, damage its bytes with *change*, read; return the message."""
    written(tmp_path, [("jobs", random_rows("jobs", 300, windows=1))])
    (path,) = segments(tmp_path, "jobs")
    path.write_bytes(change(bytearray(path.read_bytes())))
    with pytest.raises(LedgerError) as caught:
        read(tmp_path, "jobs")
    return str(caught.value)


def flipped(position: int) -> Any:
    """Return a change that flips one bit at *position*."""

    def change(content: bytearray) -> bytearray:
        content[position] ^= 1
        return content

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda content: b"",
        lambda content: b"nonsense",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        flipped(100),
        flipped(1000),
        flipped(5000),
        flipped(-1),
        flipped(-6),
    ],
)
def test_a_damaged_segment_is_one_line(tmp_path: Path, change: Any) -> None:
    message = damaged(tmp_path, change)
    assert message.startswith(f"{tmp_path}/jobs/000000.parquet: not a segment of 'jobs' (")
    assert "\n" not in message


def test_no_flipped_bit_of_the_data_passes_unseen(tmp_path: Path) -> None:
    """Pages carry checksums: a run on a failing disk says so instead of reporting other numbers."""
    rows = random_rows("jobs", 300, windows=1)
    written(tmp_path, [("jobs", rows)])
    (path,) = segments(tmp_path, "jobs")
    whole = path.read_bytes()
    expected = read(tmp_path, "jobs")
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    for position in np.linspace(0, footer - 1, 300).astype(int):
        path.write_bytes(flipped(position)(bytearray(whole)))
        try:
            found = read(tmp_path, "jobs")
        except LedgerError:
            continue
        assert np.array_equal(found, expected), f"bit at {position} of {footer}"


@pytest.mark.parametrize("odd", ["missing", "more", "text", "narrow", "null"])
def test_a_segment_of_another_schema_is_one_line(tmp_path: Path, odd: str) -> None:
    written(tmp_path, [("jobs", random_rows("jobs", 30, windows=1))])
    (path,) = segments(tmp_path, "jobs")
    table = pq.read_table(path)
    other = {
        "missing": lambda: table.drop_columns(["own_uj"]),
        "more": lambda: table.append_column("extra", table["own_uj"]),
        "text": lambda: table.set_column(0, "job", table["job"].cast(pa.string())),
        "narrow": lambda: table.set_column(0, "job", table["job"].cast(pa.int32())),
        "null": lambda: table.set_column(0, "job", pa.array([None] * 30, pa.int64())),
    }[odd]()
    pq.write_table(other, path)
    with pytest.raises(LedgerError, match="not a segment of 'jobs'") as caught:
        read(tmp_path, "jobs")
    assert "\n" not in str(caught.value)


def test_a_column_that_is_missing_or_unknown_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="events: a column is missing or unknown: colour, t_us"):
        Ledger(tmp_path).note("events", colour=1, **EVENT)


@pytest.mark.parametrize("said", ["99", "none", "2"])
def test_a_segment_of_a_newer_or_foreign_version_is_one_line(tmp_path: Path, said: str) -> None:
    written(tmp_path, [("events", random_rows("events", 30, windows=1))])
    (path,) = segments(tmp_path, "events")
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"droidloop.version": said}), path)
    with pytest.raises(LedgerError, match=rf"are of version {said}, this droidloop reads") as e:
        read(tmp_path, "events")
    assert "\n" not in str(e.value)


OLDER = Path(__file__).parent / "older_run"
"""A run of twelve phones, written by droidloop at commit fe4a57e ."""


def test_a_run_of_an_older_droidloop_is_read_with_defaults_for_what_it_lacks() -> None:
    metrics = read(OLDER, "metrics")
    assert set(texts(metrics["users"])) == {""}
    assert set(texts(metrics["model"])) == {"trained", "popularity"}
    assert len(read(OLDER, "jobs")) > 0
    assert len(read(OLDER, "devices")) == 12
    assert len(read(OLDER, "events")) > 0
    assert len(read(OLDER, "lists")) == 0


def test_what_an_older_droidloop_wrote_is_written_with_the_same_bytes(tmp_path: Path) -> None:
    """Tables that have no new column are what they were."""
    put(ledger := Ledger(tmp_path), "events", read(OLDER, "events"))
    ledger.close()
    name = "events/000000.parquet"
    assert (tmp_path / name).read_bytes() == (OLDER / name).read_bytes()


def test_columns_have_the_types_of_the_table(tmp_path: Path) -> None:
    """Other tools read these files: integers stay integers, words are words."""
    written(tmp_path, [("devices", random_rows("devices", 20, windows=1))])
    schema = pq.read_schema(next(segments(tmp_path, "devices")))
    assert schema.field("battery_after_uj").type == pa.int64()
    assert schema.field("phone").type == pa.int32()
    assert schema.field("region").type == pa.string()
    assert schema.field("measured").type == pa.bool_()
