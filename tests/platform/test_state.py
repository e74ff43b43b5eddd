"""The tree of a state: fields are taken apart and put together; nothing unknown comes back."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.platform.checkpoint import NAME, read_checkpoint, write_checkpoint
from droidloop.platform.errors import LedgerError
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.state import Stateful, copied, pack, unpack


class Inner(Stateful):
    """Counts."""

    STATE = ("count",)

    def __init__(self, count: int) -> None:
        self.count = count


class Outer(Stateful):
    """Holds something of every kind."""

    STATE = ("inner", "many", "table", "by_phone", "seen", "pair", "jobs", "nothing", "word")

    def __init__(self, count: int) -> None:
        self.inner, self.many = Inner(count), [Inner(count), Inner(count + 1)]
        self.table = np.full((2, 3), count, np.float32)
        self.by_phone = {count: np.arange(count)}
        self.seen: Counter[str] = Counter(stale=count)
        self.pair = (np.array([count]), 0.1 * count)
        self.jobs = Jobs.plan(np.arange(count), kind=Kind.TRAIN, plan_us=7, first=3)
        self.nothing, self.word = None, str(count)


def same(one: Any, other: Any) -> bool:
    """Return whether two trees are equal, arrays by type, shape and value."""
    if isinstance(one, np.ndarray):
        return bool(one.dtype == other.dtype and np.array_equal(one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def test_a_state_goes_through_a_file_into_an_object_built_alike(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, Outer(5).state())
    other = Outer(2)
    other.restore(read_checkpoint(tmp_path))
    assert same(other.state(), Outer(5).state())
    other.seen["broken"] += 1
    assert (other.many[1].count, other.seen["broken"], other.jobs["job"].tolist()) == (
        *(6, 1),
        [3, 4, 5, 6, 7],
    )


def test_an_array_in_two_places_is_written_once_and_is_one_again(tmp_path: Path) -> None:
    array = np.arange(1000)
    size = write_checkpoint(tmp_path, {"a": array, "b": [array]})
    tree = read_checkpoint(tmp_path)
    assert tree["a"] is tree["b"][0]
    assert size < 1.5 * array.nbytes


def test_a_copy_stays_when_the_run_goes_on() -> None:
    outer = Outer(3)
    kept = copied(outer.state())
    outer.table += 1
    assert same(kept["table"], Outer(3).table)


def test_what_keeps_no_state_is_refused_when_it_is_taken_apart() -> None:
    @dataclass
    class Odd:
        number: int

    with pytest.raises(TypeError, match="Odd keeps no state"):
        pack(Odd(1))


def test_a_value_that_is_not_known_is_not_made() -> None:
    with pytest.raises(ValueError, match=r"os\.system: not a value"):
        unpack({"~": "os.system", "of": "true"})


@pytest.mark.parametrize("damage", [b"", b"\x00" * 40, b"garbage"])
def test_a_damaged_checkpoint_is_said_so_in_one_line(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / NAME).write_bytes(damage)
    with pytest.raises(LedgerError, match=r"damaged \(.*\); remove it") as error:
        read_checkpoint(tmp_path)
    assert "\n" not in str(error.value)


def test_where_there_is_no_checkpoint_nothing_is_read(tmp_path: Path) -> None:
    assert read_checkpoint(tmp_path) is None
