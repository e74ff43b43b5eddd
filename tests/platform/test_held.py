"""One process at a time works in a folder."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from droidloop.platform.errors import UsageError
from droidloop.platform.held import LOCK, held
from droidloop.platform.rundir import RunDirectory


def test_a_folder_that_is_held_is_refused_in_a_line(tmp_path: Path) -> None:
    refused = pytest.raises(UsageError, match="another process is at this run")
    with held(tmp_path / "run"), refused, held(tmp_path / "run"):
        raise AssertionError


def test_nothing_is_left_and_it_can_be_held_again(tmp_path: Path) -> None:
    for _ in range(2):
        with held(tmp_path / "run"):
            assert (tmp_path / "run" / LOCK).exists()
        assert list((tmp_path / "run").iterdir()) == []


def test_the_lock_of_a_killed_process_holds_nobody_back(tmp_path: Path) -> None:
    code = (
        "import fcntl, os, signal, sys\n"
        "fcntl.flock(os.open(sys.argv[1], os.O_RDWR | os.O_CREAT), fcntl.LOCK_EX)\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-P", "-c", code, tmp_path / LOCK])
    assert (tmp_path / LOCK).exists()
    with held(tmp_path):
        RunDirectory.create(tmp_path, seed=1, scenario={})


def test_who_waits_for_a_lock_that_is_removed_gets_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between opening the file and locking it, its holder ends and removes it."""
    opened = os.open
    lock = fcntl.flock
    calls: list[int] = []

    def slow(descriptor: int, how: int) -> None:
        calls.append(descriptor)
        if len(calls) == 1:
            (tmp_path / LOCK).unlink()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", slow)
    with held(tmp_path):
        mine = opened(tmp_path / LOCK, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            lock(mine, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(mine)
    assert len(calls) == 2


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(UsageError, match="choose another --out"), held(tmp_path / "run"):
        raise AssertionError
