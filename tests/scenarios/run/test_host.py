"""What the host does to a run: signals, a second start, a disk without room after training."""

import os
import signal
from pathlib import Path

import pytest

from droidloop.platform.checkpoint import NAME
from droidloop.platform.errors import PackageError, UsageError
from droidloop.platform.held import LOCK, held
from droidloop.platform.stopping import StoppedError, interruptible, patient
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.run.whole import Progress
from tests.scenarios.churning import played, scenario
from tests.scenarios.killed_runs import digest


def quiet(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def signalled_in(turn: int, number: int) -> Progress:
    """Return a progress that sends this process a signal in that turn."""

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "training" and done == turn:
            os.kill(os.getpid(), number)

    return progress


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_run_at_its_next_checkpoint(tmp_path: Path, number: signal.Signals) -> None:
    one, out = scenario(), tmp_path / "run"

    def ended() -> None:
        with interruptible(), patient(lambda line: None):
            execute(one, out, replay=None, progress=signalled_in(3, number))

    with pytest.raises(StoppedError, match=f"ended by {number.name}; go on with") as caught:
        ended()
    assert caught.value.exit_code == 128 + number
    assert {path.name for path in out.iterdir() if path.is_file()} == {"run.json", NAME}
    resume(out, progress=quiet)
    played(one, tmp_path / "whole")
    assert digest(out) == digest(tmp_path / "whole")


def test_a_run_without_checkpoints_says_that_it_cannot_go_on(tmp_path: Path) -> None:
    one = scenario(checkpoint_every=0)

    def ended() -> None:
        with patient(lambda line: None):
            progress = signalled_in(2, signal.SIGTERM)
            execute(one, tmp_path / "run", replay=None, progress=progress)

    with pytest.raises(StoppedError, match="keeps no checkpoints, begin it anew"):
        ended()


def test_a_second_start_and_a_second_resume_are_refused(tmp_path: Path) -> None:
    one, out = scenario(), tmp_path / "run"
    with held(out), pytest.raises(UsageError, match="another process is at this run"):
        played(one, out)
    assert not (out / "run.json").exists()
    played(one, out)
    with held(out), pytest.raises(UsageError, match="another process is at this run"):
        resume(out, progress=quiet)
    assert not (out / LOCK).exists()


def test_what_was_trained_is_kept_where_the_export_finds_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise PackageError("exporting the model: no room")

    monkeypatch.setattr("droidloop.scenarios.delivery.releases.export", full)
    one = scenario(delivery={"variant": "int8"})
    turns: list[int] = []

    def counted(stage: str, done: int, total: int) -> None:
        if stage == "training":
            turns.append(done)

    with pytest.raises(PackageError, match="no room"):
        execute(one, tmp_path / "run", replay=None, progress=counted)
    assert turns == [1, 2, 3, 4, 5, 6]
    with pytest.raises(PackageError, match="no room"):
        resume(tmp_path / "run", progress=counted)
    assert turns == [1, 2, 3, 4, 5, 6], "it was trained again"
