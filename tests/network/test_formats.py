"""Link traces of four formats: what is read is what the file says, and what is wrong is named."""

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from droidloop.network.formats import MAHIMAHI_BYTES, read_trace, read_traces
from droidloop.network.gaps import per_second
from droidloop.network.trace import Series, delivered
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.platform.units import SECOND_US

GNETTRACK = "Timestamp,NetworkMode,DL_bitrate,UL_bitrate\n"


def write(file: Path, text: str) -> Path:
    if file.suffix == ".gz":
        file.write_bytes(gzip.compress(text.encode()))
    else:
        file.write_text(text)
    return file


def knots(series: Series) -> list[tuple[int, int]]:
    return list(zip(series.times_us.tolist(), series.values.tolist(), strict=True))


def bytes_until(series: Series, t_us: int) -> int:
    laps, within_us = divmod(t_us, series.span_us)
    ends_us = np.array([within_us, series.span_us])
    part, whole = delivered(series.times_us, series.values, ends_us).tolist()
    return int(laps * whole + part)


@pytest.mark.parametrize("name", ["mine.csv", "mine.csv.gz"])
def test_a_csv_is_read_as_times_and_rates(tmp_path: Path, name: str) -> None:
    trace = read_trace(write(tmp_path / name, "t_s,bytes_per_s\n0,1000\n2,0\n2.5,3000\n"))
    assert trace.name == "mine"
    assert knots(trace.down) == [(0, 1000), (2_000_000, 0), (2_500_000, 3000)]
    assert trace.down.span_us == 3 * SECOND_US
    assert trace.up is None


def test_columns_of_a_csv_may_stand_in_any_order_and_among_others(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "note,bytes_per_s,t_s\nx,7,0\n\ny,8,1\n")
    assert knots(read_trace(file).down) == [(0, 7), (SECOND_US, 8)]


def test_a_series_spans_whole_seconds(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", "t_s,bytes_per_s\n0,10\n0.3,20\n0.4,30\n")
    assert read_trace(file).down.span_us == SECOND_US


def test_sabre_lists_are_read_to_the_byte(tmp_path: Path) -> None:
    records = [
        {"duration_ms": 1013, "bandwidth_kbps": 1285, "latency_ms": 100},
        {"duration_ms": 0, "bandwidth_kbps": 9, "latency_ms": 100},
        {"duration_ms": 500, "bandwidth_kbps": 0, "latency_ms": 100},
        {"duration_ms": 987, "bandwidth_kbps": 8, "latency_ms": 100},
    ]
    series = read_trace(write(tmp_path / "a.json.gz", json.dumps(records))).down
    assert knots(series) == [(0, 160_625), (1_013_000, 0), (1_513_000, 1000)]
    assert series.span_us == 3 * SECOND_US
    assert bytes_until(series, 1_513_000) == 1013 * 160_625 // 1000


def test_mahimahi_opportunities_pass_1500_bytes_each_at_their_millisecond(tmp_path: Path) -> None:
    file = write(tmp_path / "a.down", "0\n0\n3\n1002\n")
    fine = read_trace(file, step_ms=1).down
    assert [bytes_until(fine, ms * 1000) for ms in (0, 1, 3, 4, 1002, 1003, 2000)] == [
        n * MAHIMAHI_BYTES for n in (0, 2, 2, 3, 3, 4, 4)
    ]
    assert fine.span_us == 2 * SECOND_US
    assert knots(read_trace(file).down) == [(0, 4500), (SECOND_US, 1500)]


@pytest.mark.parametrize("step_ms", [1, 10, 100, 1000])
def test_mahimahi_playback_is_exact_to_the_byte_at_every_step(tmp_path: Path, step_ms: int) -> None:
    lines = np.sort(Draws(1, "mahimahi").integers(np.arange(5000), 0, 20_000))
    file = write(tmp_path / "a.up", "\n".join(map(str, lines)))
    series = read_trace(file, step_ms=step_ms).down
    for ms in range(0, 20_000, 100 * step_ms):
        assert bytes_until(series, ms * 1000) == MAHIMAHI_BYTES * np.count_nonzero(lines < ms)
    assert bytes_until(series, 20 * SECOND_US) == MAHIMAHI_BYTES * 5000


def test_a_mahimahi_downlink_finds_its_uplink_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "a.down.gz", "1\n2\n3")
    write(tmp_path / "a.up.gz", "5")
    write(tmp_path / "b.up", "7\n8")
    traces = read_traces(tmp_path)
    assert [trace.name for trace in traces] == ["a", "b"]
    assert traces[0].up is not None
    assert traces[0].up.values.tolist() == [1500]
    assert (traces[1].down.values.tolist(), traces[1].up) == ([3000], None)


def test_gnettrack_rows_of_one_second_are_averaged_and_missing_seconds_repeat(
    tmp_path: Path,
) -> None:
    rows = "\n".join(
        f"2020.01.02_23.59.{second},LTE,{down},{up}"
        for second, down, up in [(57, 100, 8), (57, 300, 8), (58, 0, 0), (59, 16, 8)]
    )
    trace = read_trace(
        write(tmp_path / "a.csv", f"{GNETTRACK}{rows}\n2020.01.03_00.00.02,5G,8,8\n")
    )
    assert knots(trace.down) == [(0, 25_000), (10**6, 0), (2 * 10**6, 2000), (5 * 10**6, 1000)]
    assert trace.down.span_us == 6 * SECOND_US
    assert trace.up is not None
    assert trace.up.values.tolist() == [1000, 0, 1000, 1000]


def test_a_clock_set_back_by_a_second_is_followed_and_by_an_hour_refused(tmp_path: Path) -> None:
    stamps = ["2020.01.02_12.00.00", "2020.01.02_12.00.01", "2020.01.02_12.00.00"]
    text = GNETTRACK + "\n".join(f"{stamp},LTE,8,8" for stamp in stamps)
    assert len(read_trace(write(tmp_path / "a.csv", text)).down.values) == 2
    late = text.replace("12.00.00,LTE,8,8\n", "13.00.00,LTE,8,8\n", 1)
    with pytest.raises(DataError, match="Timestamp must not fall by more than 5 s"):
        read_trace(write(tmp_path / "b.csv", late))


@pytest.mark.parametrize(
    ("folder", "mean", "zeros"), [("norway-3g", 0.004, 1), ("ghent-4g", 0.005, 0)]
)
def test_every_sabre_list_has_the_mean_and_the_gaps_of_the_summary(
    shared: Path, folder: str, mean: float, zeros: int
) -> None:
    """The summary cuts the last part of a second off, the series fills it up."""
    summary = rows_of(shared, folder)
    traces = read_traces(shared / "data/network" / folder)
    assert len(traces) == len(summary)
    for trace, row in zip(traces, summary, strict=True):
        kbps = per_second(trace.down) / 125
        assert kbps.mean() == pytest.approx(float(row["mean_kbps"]), rel=mean)
        assert abs(np.count_nonzero(kbps == 0) - int(row["zero_s"])) <= zeros
        assert 0 <= trace.down.span_us / SECOND_US - float(row["duration_s"]) <= 1


def test_every_mahimahi_trace_has_the_mean_and_the_gaps_of_the_summary(shared: Path) -> None:
    for row in rows_of(shared, "mahimahi"):
        trace = read_trace(shared / "data/network/mahimahi" / row["file"])
        kbps = per_second(trace.down) / 125
        # a trace ends somewhere in its last second
        assert kbps.mean() == pytest.approx(float(row["mean_kbps"]), rel=1e-4)
        assert np.count_nonzero(kbps == 0) == int(row["zero_s"])


def test_every_gnettrack_log_is_read_and_agrees_with_the_mean_of_its_rows(shared: Path) -> None:
    """Rows are a second apart more or less; the summary takes them as exactly that."""
    differences = []
    for row in rows_of(shared, "raca-5g"):
        trace = read_trace(shared / "data/network/raca-5g" / row["file"])
        mean = per_second(trace.down).mean() / 125
        differences.append(abs(mean / float(row["mean_kbps"]) - 1))
        assert 0.9 < trace.down.span_us / SECOND_US / float(row["duration_s"]) < 1.2
    assert len(differences) == 83
    assert max(differences) < 0.15
    assert np.median(differences) < 0.03


def rows_of(shared: Path, folder: str) -> list[dict[str, str]]:
    with (shared / "data/network/summary.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["set"] == folder]
    return sorted(rows, key=lambda row: row["file"])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "the first line must name the columns t_s,bytes_per_s"),
        ("a.csv", "time,rate\n0,1\n", "the first line must name the columns t_s,bytes_per_s"),
        ("a.csv", "t_s,bytes_per_s\n", "at least one line after the header"),
        ("a.csv", "t_s,bytes_per_s\n0,many\n", "record 1: bytes_per_s must be a number: 'many'"),
        ("a.csv", "t_s,bytes_per_s\n0,1\nnan,1\n", "record 2: t_s must be a number: 'nan'"),
        ("a.csv", "t_s,bytes_per_s\n0,1\n1\n", "record 2 has no bytes_per_s"),
        ("a.csv", "t_s,bytes_per_s\n1,1\n", "t_s must rise from 0"),
        ("a.csv", "t_s,bytes_per_s\n0,1\n0,2\n", "t_s must rise from 0"),
        ("a.csv", "t_s,bytes_per_s\n0,-1\n", "rates must lie in"),
        ("a.csv", "t_s,bytes_per_s\n0,0\n", "must not be 0 throughout"),
        ("a.csv", "t_s,bytes_per_s\n0,1\n4e7,1\n", "longer than 400 days"),
        ("a.csv", "t_s,bytes_per_s\n0,1e300\n", "bytes_per_s must not pass"),
        ("a.csv", "DL_bitrate\n5\n", "needs a column Timestamp"),
        ("a.csv", f"{GNETTRACK}yesterday,LTE,1,1\n", "record 1: Timestamp must read like"),
        ("a.csv", f"{GNETTRACK}2020.01.02_12.00.00,LTE,-,1\n", "DL_bitrate must be a number: '-'"),
        ("a.json", "{", "not JSON"),
        ("a.json", "{}", "must be a list"),
        ("a.json", "[]", "must be a list"),
        ("a.json", "[5]", "record 1 lacks duration_ms"),
        ("a.json", '[{"duration_ms": 1}]', "record 1 lacks duration_ms or bandwidth_kbps"),
        ("a.json", '[{"duration_ms": 0, "bandwidth_kbps": 1}]', "not 0 throughout"),
        ("a.json", '[{"duration_ms": null, "bandwidth_kbps": 1}]', "must be a number: None"),
        ("a.json", "[" * 100_000, "not JSON"),
        ("a.down", "", "needs at least one line"),
        ("a.down", "5\n4\n", "must not be negative or fall"),
        ("a.down", "-1\n", "must not be negative or fall"),
        ("a.trace", "one\n", "record 1: a mahimahi line must be a number: 'one'"),
    ],
)
def test_a_file_that_is_not_what_it_says_is_refused_in_one_line(
    tmp_path: Path, name: str, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_trace(write(tmp_path / name, text))
    assert str(caught.value).startswith(str(tmp_path / name))
    assert "\n" not in str(caught.value)


def test_a_broken_archive_and_a_binary_file_are_refused(tmp_path: Path) -> None:
    whole = gzip.compress(b"t_s,bytes_per_s\n0,1\n" * 100)
    for name, content in (("a.csv.gz", b"no archive"), ("b.csv.gz", whole[:-9])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match="cannot be read"):
            read_trace(tmp_path / name)
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not a text file"):
        read_trace(tmp_path / "c.csv")


def test_an_archive_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("droidloop.network.formats.MAX_FILE_BYTES", 1 << 20)
    file = write(tmp_path / "a.down.gz", "1\n" * (1 << 20))
    with pytest.raises(DataError, match="longer than 1 MiB unpacked"):
        read_trace(file)


def test_a_path_without_traces_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        read_traces(tmp_path / "none")
    write(tmp_path / "README.md", "hello")
    with pytest.raises(DataError, match="no link trace in this folder"):
        read_traces(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_trace(tmp_path / "none.csv")


def test_steps_that_do_not_divide_a_second_are_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="step_ms must divide 1000, not 7"):
        read_trace(write(tmp_path / "a.down", "1"), step_ms=7)
