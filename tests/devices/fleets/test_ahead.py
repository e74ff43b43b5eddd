"""What is compiled ahead is what a run plays with, and a run that needs nothing starts nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from droidloop.devices.fleets import ahead
from droidloop.devices.phone.play import is_play_kept

RUN = """
import json
import droidloop
from numba.core import event
from droidloop.devices.phone.play import is_play_kept

before = is_play_kept()
with event.install_recorder("numba:compile") as recorder:
    droidloop.run(droidloop.load("quickstart").with_({"protocol.rounds": 1}), "out")
names = {one.data["dispatcher"].py_func.__name__ for _, one in recorder.buffer if one.is_start}
print(json.dumps([before, sorted(names)]))
"""


def python(arguments: list[str], folder: Path) -> str:
    """Return what a Python says whose kernels are kept in *folder*."""
    done = subprocess.run(
        [sys.executable, "-P", *arguments],
        cwd=folder,
        env={**os.environ, "NUMBA_CACHE_DIR": str(folder / "kernels")},
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_run_finds_the_play_that_was_compiled_ahead(tmp_path: Path) -> None:
    assert python(["-m", ahead.__name__], tmp_path) == ""
    kept, compiled = json.loads(python(["-c", RUN], tmp_path))
    assert kept
    assert "_train" in compiled
    assert not {"_play", "begin", "download", "compute", "transfer"} & set(compiled)


def test_where_the_play_is_kept_no_process_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead.main()
    assert is_play_kept()
    monkeypatch.setattr(subprocess, "Popen", None)
    with ahead.compiled_ahead():
        pass


def test_a_process_that_is_not_needed_any_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], stdin: int) -> None:
            super().__init__([command[0], "-c", "import time; time.sleep(250)"], stdin=stdin)
            started.append(self)

    monkeypatch.setattr(ahead, "is_play_kept", lambda: False)
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", Noted)
    with pytest.raises(KeyError), ahead.compiled_ahead():
        raise KeyError
    assert started[0].returncode is not None
