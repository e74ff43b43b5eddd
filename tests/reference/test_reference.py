"""The harness of the reference rows: what it prints, and when it says that a bar is missed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.reference.row import ROWS, at_least, files_of, load, row_files, seeds_of, within

ROOT = Path(__file__).parents[2]

COUNT = """
from tests.reference.row import Line, at_least, within

DATA = "numbers"
SEEDS = (2, 4)
LINES = {
    "count-low": Line("plain", "seed", at_least(3)),
    "count-band": Line("plain", "ten seeds", within(0.1, 20), "reproduced"),
    "count-free": Line("plain", "half a seed"),
}

def measure(seed):
    print("noise on stdout")
    return {"count-low": seed, "count-band": 10 * seed, "count-free": seed / 2}
"""
USERS = """
from tests.reference.row import Line, at_least

DATA = "numbers"
SEEDS = (2, 4)
LINES = {
    "users-mean": Line("plain", "by user", at_least(2.0)),
    "users-fails": Line("plain", "by user", at_least(3.0), because="users differ"),
    "users-holds": Line("plain", "by user", at_least(0.1), because="it is said"),
}

def measure(seed):
    nan = float("nan")
    return dict.fromkeys(LINES, [seed - 1.0, seed, seed + 1.0, nan])
"""
BROKEN = """
from tests.reference.row import Line

DATA, LINES = "none", {"broken": Line("plain", "none")}

def measure(seed):
    return {"other": 1.0}
"""


def reference(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.reference", "--rows", str(folder), *arguments]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60
    )


def test_a_row_prints_the_mean_of_its_seeds_as_a_json_line(tmp_path: Path) -> None:
    (tmp_path / "row_count.py").write_text(COUNT)
    done = reference(tmp_path, "count-low")
    [line] = done.stdout.splitlines()
    result = json.loads(line)
    assert result["values"] == [2.0, 4.0]
    assert (result["name"], result["data"], result["metric"]) == ("count-low", "numbers", "seed")
    assert (result["value"], result["interval"], result["bar"]) == (3.0, None, 3)
    assert (result["verdict"], result["expected"]) == ("works here", True)
    assert result["seeds"] == [2, 4]
    assert "noise" in done.stderr
    assert done.returncode == 0


def test_the_name_of_a_file_means_all_its_lines_and_a_missed_bar_is_exit_1(tmp_path: Path) -> None:
    (tmp_path / "row_count.py").write_text(COUNT)
    done = reference(tmp_path, "count")
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["name"] for result in results] == ["count-low", "count-band", "count-free"]
    assert [result["verdict"] for result in results] == ["works here", "not reproduced", None]
    assert [result["expected"] for result in results] == [True, False, None]
    assert results[1]["bar"] == [18, 22]
    assert done.returncode == 1


def test_of_values_by_user_the_low_end_of_the_interval_over_users_and_seeds_counts(
    tmp_path: Path,
) -> None:
    (tmp_path / "row_users.py").write_text(USERS)
    done = reference(tmp_path, "users")
    mean, fails, holds = (json.loads(line) for line in done.stdout.splitlines())
    assert (mean["value"], mean["values"]) == (3.0, [2.0, 4.0])
    half = 1.96 * (1 / 3 + 2 / 2) ** 0.5  # variances over users and over seeds
    assert mean["interval"] == pytest.approx([3 - half, 3 + half])
    assert (mean["verdict"], mean["expected"]) == ("does not work here", False)
    assert fails["verdict"] == "does not work here, because users differ"
    assert fails["expected"]
    assert (holds["verdict"], holds["expected"]) == ("works here", False)
    assert done.returncode == 1


def test_a_file_of_the_name_of_a_line_means_all_its_lines(tmp_path: Path) -> None:
    (tmp_path / "row_count.py").write_text(COUNT.replace("count-low", "count"))
    [(name, lines)] = files_of("count", row_files(tmp_path))
    assert (name, len(lines)) == ("count", 3)


def test_without_a_row_all_are_in_the_table_and_in_a_file_of_json_lines(tmp_path: Path) -> None:
    (tmp_path / "row_count.py").write_text(COUNT)
    (tmp_path / "row_other.py").write_text(COUNT.replace("count-", "other-"))
    done = reference(tmp_path)
    header, *lines = done.stdout.splitlines()
    assert header.split()[:4] == ["row", "data", "protocol", "metric"]
    assert [line.split()[0] for line in lines[::3]] == ["count-low", "other-low"]
    assert lines[0].endswith("works here")
    assert lines[1].endswith("not reproduced (UNEXPECTED)")
    written = (tmp_path / "runs" / "reference.jsonl").read_text().splitlines()
    assert {json.loads(line)["name"] for line in written} == {line.split()[0] for line in lines}


def test_a_row_that_returns_other_figures_than_it_lists_fails(tmp_path: Path) -> None:
    (tmp_path / "row_broken.py").write_text(BROKEN)
    done = reference(tmp_path, "broken")
    assert done.returncode != 0
    assert "values of ['other'] for ['broken']" in done.stderr
    assert done.stdout == ""


def test_an_unknown_row_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "row_count.py").write_text(COUNT)
    done = reference(tmp_path, "third")
    assert done.returncode == 2
    assert "give one row of: count, count-band, count-free, count-low; not 'third'" in done.stderr


def test_bars_include_their_ends_and_refuse_what_is_no_number() -> None:
    assert at_least(0.5).reached(0.5)
    assert not at_least(0.5).reached(0.4999)
    assert within(0.5, 1.0).reached(1.5)
    assert not within(0.5, 1.0).reached(1.51)
    assert not at_least(0.5).reached(float("nan"))


@pytest.mark.parametrize("path", row_files(ROWS).values(), ids=row_files(ROWS))
def test_every_row_here_states_its_lines(path: Path) -> None:
    row = load(path)
    assert row.DATA
    assert row.LINES
    assert callable(row.measure)
    assert len(set(seeds_of(row))) >= 1


def test_a_name_means_one_file() -> None:
    files = row_files(ROWS)
    for wanted in {line for path in files.values() for line in load(path).LINES} | files.keys():
        assert len(list(files_of(wanted, files))) == 1
