"""A frontier file says which table or variant a phone gets; what is wrong in it is one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.models.updates.frontier import (
    Measured,
    best_within,
    by_value,
    frontier,
    read_frontier,
)
from droidloop.platform.errors import UsageError

GOOD = {"name": "a", "bytes": 10, "peak_ram_bytes": 100, "latency_s": 0.1, "value": 0.5}
BIG, SMALL, POOR = (
    Measured("big", "1/4", 1000, 9000, 0.2, 0.6),
    Measured("small", "1/30", 100, 4000, 0.1, 0.4),
    Measured("poor", "1/30", 100, 5000, 0.3, 0.3),
)


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "frontier.jsonl"
    path.write_text(
        "".join(f"{one if isinstance(one, str) else json.dumps(one)}\n" for one in lines)
    )
    return path


def test_lines_are_read_and_those_out_of_reach_are_left_out(tmp_path: Path) -> None:
    far = {"name": "b", "budget": "1/30", "out_of_reach": "one row takes more"}
    path = written(tmp_path, GOOD, "", far)
    assert read_frontier(path) == [Measured("a", "", 10, 100, 0.1, 0.5)]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "frontier.jsonl:1: not JSON"),
        ("[" * 10_000, "frontier.jsonl:1: not JSON"),
        ("[]", "frontier.jsonl:1: name is missing"),
        ({**GOOD, "value": None}, "value = None is no number"),
        ({**GOOD, "value": True}, "value = True is no number"),
        ({**GOOD, "latency_s": float("nan")}, "latency_s = nan is no number"),
        ({**GOOD, "bytes": -1}, "bytes = -1 is no amount"),
        ({**GOOD, "peak_ram_bytes": 2**80}, "is no number"),
        ({"name": "b", "out_of_reach": "x"}, "no line with figures"),
    ],
)
def test_a_wrong_line_is_refused_in_one_line(tmp_path: Path, line: Any, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        read_frontier(written(tmp_path, line))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.jsonl: cannot be read: No such file"):
        read_frontier(tmp_path / "none.jsonl")


def test_what_is_beaten_in_all_is_not_of_the_frontier() -> None:
    assert frontier([POOR, BIG, SMALL]) == [BIG, SMALL]
    assert frontier([SMALL, SMALL]) == [SMALL, SMALL]


def test_a_phone_gets_the_best_that_fits_its_memory() -> None:
    found = best_within([POOR, SMALL, BIG], np.array([3999, 4000, 9000, 10**12]))
    assert found.tolist() == [-1, 1, 2, 2]


def test_bytes_and_latency_bound_what_all_phones_take() -> None:
    memory = np.array([10**6])
    assert best_within([BIG, SMALL], memory, nbytes=999).tolist() == [1]
    assert best_within([BIG, SMALL], memory, latency_s=0.15).tolist() == [1]
    assert best_within([BIG, SMALL], memory, latency_s=0.05).tolist() == [-1]


def test_variants_come_in_the_order_of_their_best_values(tmp_path: Path) -> None:
    lines = [Measured("float32", "", 1, 1, 1.0, 0.3), Measured("int8", "", 1, 1, 1.0, 0.4)]
    assert by_value(("float32", "int8"), lines, tmp_path) == ("int8", "float32")
    with pytest.raises(UsageError, match="no line is named 'int4'"):
        by_value(("float32", "int4"), lines, tmp_path)
