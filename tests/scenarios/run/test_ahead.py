"""What is compiled ahead is what a run calls, and a run that needs nothing starts nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from droidloop.devices.phone.play import is_play_kept
from droidloop.models.fitting.baselines import Baseline
from droidloop.scenarios.run import ahead
from droidloop.scenarios.run.experiment import Experiment
from droidloop.scenarios.schema.load import find, load, names

QUICKSTART = load(find("quickstart"))
REHEARSAL = json.dumps(ahead.rehearsal_of(QUICKSTART))

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


def test_a_run_finds_what_was_compiled_ahead(tmp_path: Path) -> None:
    assert python(["-m", ahead.__name__, REHEARSAL], tmp_path) == ""
    kept, compiled = json.loads(python(["-c", RUN], tmp_path))
    assert kept
    assert "_train" in compiled
    play = {"_play", "begin", "download", "compute", "transfer"}
    judging = {"_full", "_top", "_sampled", "_neighbours", "_vote", "_solve_all", "add_slopes"}
    assert not (play | judging) & set(compiled)


@pytest.mark.parametrize("name", names())
def test_every_scenario_can_be_rehearsed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def baselines(study: Experiment) -> dict[str, Baseline]:
        asked.append(study.scenario.name)
        return {}

    monkeypatch.setattr(Experiment, "baselines", baselines)
    ahead.main(json.loads(json.dumps(ahead.rehearsal_of(load(find(name))))))
    assert asked == [name]


def test_where_the_play_is_kept_no_process_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead.main(ahead.rehearsal_of(QUICKSTART))
    assert is_play_kept()
    monkeypatch.setattr(subprocess, "Popen", None)
    with ahead.compiled_ahead(QUICKSTART):
        pass


def test_a_process_that_is_not_needed_any_more_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, command: list[str], **streams: Any) -> None:
            super().__init__([command[0], "-c", "import time; time.sleep(250)"], **streams)
            started.append(self)

    monkeypatch.setattr(ahead, "is_play_kept", lambda: False)
    monkeypatch.setattr(ahead, "processors", lambda: 2)
    monkeypatch.setattr(subprocess, "Popen", Noted)
    with pytest.raises(KeyError), ahead.compiled_ahead(QUICKSTART):
        raise KeyError
    assert started[0].returncode is not None
