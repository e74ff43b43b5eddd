"""Mutated inputs of every parser are refused in one line; so is what was once found not to be.

Few here; `python -m tests.fuzz inputs --inputs 20000` tries as many as one likes.
"""

from pathlib import Path

import pytest

from tests.fuzz.inputs import apart, kept, some, tried
from tests.fuzz.mutate import mutated
from tests.fuzz.parsers import Parser, parsers
from tests.fuzz.trial import bad


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> list[Parser]:
    return list(parsers(tmp_path_factory.mktemp("parsers")))


def test_good_inputs_are_read_by_all_but_those_who_await_others(
    every: list[Parser], tmp_path: Path
) -> None:
    ends = {
        one.name: [tried(one, good, tmp_path / str(number)).how for good in one.good]
        for number, one in enumerate(every)
    }
    refused = {name for name, hows in ends.items() if "ok" not in hows}
    assert refused == {"parquet as csv", "sweep.json"}, "of a sweep there have to be runs"
    assert not [name for name, hows in ends.items() if set(hows) - {"ok", "refused"}]


def test_mutated_inputs_are_read_or_refused_in_a_line_with_the_file(
    every: list[Parser], tmp_path: Path
) -> None:
    found = [
        wrong
        for number, one in enumerate(every)
        for wrong in some(one, range(6), tmp_path / str(number))
    ]
    assert found == []


def test_what_was_once_found_stays_mended(every: list[Parser], tmp_path: Path) -> None:
    tries = [(one, data) for one in every for data in kept(one)]
    assert tries
    ends = [tried(one, data, tmp_path / one.name) for one, data in tries]
    assert [end for end in ends if bad(end)] == []


def test_an_input_is_made_again_by_its_number() -> None:
    assert mutated([b"one", b"two"], 7) == mutated([b"one", b"two"], 7)
    assert len({mutated([b"a good input"], number) for number in range(50)}) > 40


def spin(path: Path) -> None:
    while True:
        pass


def eat(path: Path) -> None:
    bytes(3 << 30)


def die(path: Path) -> None:
    import ctypes

    ctypes.string_at(0)


@pytest.mark.parametrize(
    ("do", "how"),
    [(spin, "hang"), (eat, "memory"), (die, "killed"), (lambda p: 1 / 0, "traceback")],
)
def test_the_tries_see_each_way_of_ending_badly(do: object, how: str) -> None:
    parser = Parser("bad", "x", [b"x"], do)  # type: ignore[arg-type]
    [found] = apart(parser, [3])
    assert found.end.how == how
