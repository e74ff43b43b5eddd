"""The benchmark harness: what it prints, and whose memory and time it reports."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from . import growth, large
from .bench import ROWS, load, rows

ROOT = Path(__file__).parents[2]

HALF = """
import time
WHAT = "a wait"
UNIT = "waits/s"
BASELINE = "two waits"

def measure():
    time.sleep(0.3)
    print("noise on stdout")
    return 2.0

def baseline():
    ballast = bytearray(300 << 20)
    return 4.0
"""
ALONE = """
import subprocess, sys
WHAT, UNIT, BASELINE = "memory of a child", "children/s", "nothing"
baseline = None

def measure():
    subprocess.run([sys.executable, "-c", "ballast = b'x' * (200 << 20)"], check=True)
    return 12345.6
"""
TURNS = """
WHAT, UNIT, BASELINE = "by turns", "turns/s", "its like"
baseline = None

def measure():
    return 3.0, 4.0
"""
BROKEN = """
WHAT, UNIT, BASELINE = "", "", ""
baseline = None

def measure():
    raise RuntimeError("no such thing")
"""


def bench(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.bench", "--rows", str(folder), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


def test_one_row_prints_one_json_line(tmp_path: Path) -> None:
    (tmp_path / "row_half.py").write_text(HALF)
    done = bench(tmp_path, "half")
    [line] = done.stdout.splitlines()
    result = json.loads(line)
    assert (result["row"], result["value"], result["unit"]) == ("half", 2.0, "waits/s")
    assert result["ratio"] == 0.5
    assert 0.3 < result["wall_s"] < 30
    assert "noise" in done.stderr


def test_the_peak_is_that_of_the_measurement_without_its_baseline(tmp_path: Path) -> None:
    (tmp_path / "row_half.py").write_text(HALF)
    peak_bytes = json.loads(bench(tmp_path, "half").stdout)["peak_bytes"]
    assert 2**20 < peak_bytes < 200 * 2**20


def test_the_peak_counts_children(tmp_path: Path) -> None:
    (tmp_path / "row_alone.py").write_text(ALONE)
    result = json.loads(bench(tmp_path, "alone").stdout)
    assert result["peak_bytes"] > 200 * 2**20
    assert result["ratio"] is None


def test_a_row_may_measure_what_it_is_compared_with_itself(tmp_path: Path) -> None:
    (tmp_path / "row_turns.py").write_text(TURNS)
    result = json.loads(bench(tmp_path, "turns").stdout)
    assert (result["value"], result["ratio"]) == (3.0, 0.75)


def test_without_a_row_all_are_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "row_half.py").write_text(HALF)
    (tmp_path / "row_all_alone.py").write_text(ALONE)
    header, first, second = bench(tmp_path).stdout.splitlines()
    assert header.split() == ["row", "what", "value", "unit", "ratio", "to", "wall", "peak"]
    assert first.startswith("all-alone")
    assert "12,346" in first
    assert second.startswith("half")


def test_an_unknown_row_names_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "row_half.py").write_text(HALF)
    done = bench(tmp_path, "third")
    assert done.returncode == 2
    assert "give one row of: half; not 'third'" in done.stderr


def test_a_row_that_fails_prints_no_result(tmp_path: Path) -> None:
    (tmp_path / "row_broken.py").write_text(BROKEN)
    done = bench(tmp_path, "broken")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "no such thing" in done.stderr
    assert "measure of row_broken.py failed" in done.stderr


@pytest.mark.parametrize("name", rows(ROWS))
def test_each_row_of_ours_holds_what_a_row_must(name: str) -> None:
    row = load(rows(ROWS)[name])
    assert row.WHAT
    assert row.UNIT.endswith("/s")
    assert row.BASELINE
    assert callable(row.measure)
    assert row.baseline is None or callable(row.baseline)


def test_costs_against_population_are_drawn(tmp_path: Path) -> None:
    costs = [growth.Cost(10**k, 10.0**k / 1e4, 10.0**k / 8e3, 10**8 + 10**k) for k in (4, 5, 6)]
    growth.draw(costs, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_a_day_of_a_few_phones_is_measured() -> None:
    cost = growth.cost_here(300)
    assert cost.phones == 300
    assert cost.cpu_s > 0
    assert 0 < cost.wall_s < 60
    assert cost.peak_bytes > 2**20


@pytest.mark.parametrize("name", [name for name in large.PARTS if name != "training"])
def test_parts_of_large_data_say_how_much_they_did(name: str, tmp_path: Path) -> None:
    file = tmp_path / "events.parquet"
    large.written(500, file)
    assert re.search(r"\b500\b|\b10,000\b|\b9,\d{3}\b", large.PARTS[name](500, file))
