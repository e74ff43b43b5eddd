"""An error at any write of a run leaves a directory that goes on, or says in a line why not.

Every write of a run is counted in an undisturbed one, and made to fail in turn: some here, all by
`python -m tests.scenarios.run.test_io_errors`.
"""

import errno
import os
import pathlib
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from droidloop.platform.checkpoint import NAME
from droidloop.platform.errors import DroidloopError
from droidloop.platform.held import LOCK
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.schema.schema import Scenario
from tests.scenarios.churning import WAYS, scenario
from tests.scenarios.killed_runs import digest

DOORS: list[tuple[Any, str]] = [
    (os, "replace"),
    (os, "open"),
    (pathlib.Path, "mkdir"),
    (pathlib.Path, "write_text"),
    (pathlib.Path, "unlink"),
    (pq, "write_table"),
    (safetensors.numpy, "save_file"),
]
"""What a run changes files with."""
EVERY = 7
"""Of the writes, one in so many is made to fail in the test, from a first one that differs."""


class Faults:
    """Counts the writes below *folder*, and has the one with that *number* fail."""

    def __init__(self, folder: Path, number: int, error: int) -> None:
        self.folder, self.number, self.error = folder, number, error
        self.count = 0

    def door(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Return *original*, which fails when its turn has come."""

        def guarded(*arguments: Any, **named: Any) -> Any:
            touched = [one for one in arguments if isinstance(one, str | Path)]
            if any(Path(one).is_relative_to(self.folder) for one in touched):
                self.count += 1
                if self.count - 1 == self.number:
                    raise OSError(self.error, os.strerror(self.error), str(touched[0]))
            return original(*arguments, **named)

        return guarded


@contextmanager
def failing(folder: Path, number: int, error: int) -> Iterator[Faults]:
    """Have write *number* below *folder* fail with *error* during the block; -1: none."""
    faults = Faults(folder, number, error)
    with pytest.MonkeyPatch.context() as patch:
        for place, name in DOORS:
            patch.setattr(place, name, faults.door(getattr(place, name)))
        yield faults


def play(one: Scenario, folder: Path) -> None:
    execute(one, folder, replay=None, progress=lambda *_: None)


def goes_on(one: Scenario, folder: Path) -> None:
    """Resume the run in *folder*, or begin it there if it had not begun."""
    if not (folder / "run.json").exists():
        play(one, folder)
    elif RunDirectory.open(folder).manifest()["state"] != "complete":  # it may have failed later
        resume(folder, progress=lambda *_: None)


def require_all_survive(one: Scenario, folder: Path, first: int, every: int) -> int:
    """Have one in *every* of the writes fail, from *first* on; return how many writes there are."""
    with failing(folder / "whole", -1, 0) as faults:
        play(one, folder / "whole")
    expected = digest(folder / "whole")
    for number in range(first, faults.count, every):
        out = folder / f"{number:03d}"
        error = (errno.ENOSPC, errno.EIO, errno.EROFS)[number % 3]
        ended = ""
        with failing(out, number, error):
            try:
                play(one, out)
            except DroidloopError as raised:
                ended = str(raised)
        assert len(ended.splitlines()) <= 1
        goes_on(one, out)
        assert digest(out) == expected, f"write {number}: {ended}"
        left = {path.name for path in out.iterdir() if path.is_file()}
        assert left <= {"run.json", NAME, LOCK}, f"write {number}: {ended}"  # it may stay: see held
        assert RunDirectory.open(out).manifest()["state"] == "complete"
    return faults.count


def main() -> None:
    """Have every write fail, one after the other."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoints, "SHARE", 1e9)
        for way in WAYS:
            count = require_all_survive(scenario(way), Path(folder, way), 0, 1)
            print(f"{way}: {count} writes, an error at each; all {count} runs went on, equal")


@pytest.mark.parametrize("first", [0, 3])
def test_an_error_at_any_write_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    one = scenario("rounds", protocol={"kind": "rounds", "rounds": 2, "every_s": 21600.0})
    assert require_all_survive(one, tmp_path, first, EVERY) > 20


if __name__ == "__main__":
    main()
