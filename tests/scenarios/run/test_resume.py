"""A run that is killed and resumed leaves the same ledger, byte for byte, as one that was not.

`python -m tests.benchmarks.killing` does so a hundred times at random moments.
"""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from droidloop.platform.checkpoint import NAME
from droidloop.platform.errors import UsageError
from droidloop.platform.registry import find, names
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.run.whole import Progress
from droidloop.scenarios.schema.load import load
from tests.scenarios.conftest import Command
from tests.scenarios.killed_runs import COMMON, NO_PACKAGE, PLAYS, WAYS, digest

SHORT = [*COMMON, "protocol.rounds=6"]


class KilledError(Exception):
    """Stands for the end of the process."""


def quiet(stage: str, done: int, total: int) -> None:
    """Show nothing."""


def killed_in(turn: int) -> Progress:
    """Return a progress that ends the run in that turn."""

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "training" and done == turn:
            raise KilledError

    return progress


def killed_and_resumed(file: Path, settings: list[str], folder: Path, turn: int = 4) -> None:
    """Play a scenario undisturbed, and killed in a turn and resumed; the ledgers are equal."""
    scenario = load(file, settings)
    execute(scenario, folder / "whole", replay=None, progress=quiet)
    with pytest.raises(KilledError):
        execute(scenario, folder / "killed", replay=None, progress=killed_in(turn))
    assert (folder / "killed" / NAME).exists() == (turn > 1)
    resume(folder / "killed", progress=quiet)
    assert digest(folder / "killed") == digest(folder / "whole")
    assert not (folder / "killed" / NAME).exists()


def settings_of(rule: str) -> list[str]:
    """Return what a scenario says that is made for *rule*."""
    method = find("rule", rule)
    protocol = "rounds" if "server" in method.gives else "gossip"
    if "local" in method.needs.get("protocol", ()):
        protocol = "local"
    settings = [f"training.rule={rule}", f"protocol.kind={protocol}"]
    if method.usual.get("recommender") == "next-place":
        settings.append("data.places=true")
    if "auc" in method.gives:
        settings.append("evaluation.baselines=[]")
    return settings


@pytest.fixture(autouse=True)
def at_every_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have checkpoints be written whatever they cost."""
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)


@pytest.mark.parametrize("play", PLAYS)
@pytest.mark.parametrize("way", WAYS)
def test_what_is_resumed_ends_as_if_nothing_had_happened(
    small: Path, tmp_path: Path, way: str, play: str
) -> None:
    killed_and_resumed(small, [*SHORT, *WAYS[way], f"play={play}"], tmp_path)


@pytest.mark.parametrize("rule", names("rule"))
def test_every_rule_remembers_all_that_it_goes_on_with(
    small: Path, tmp_path: Path, rule: str
) -> None:
    killed_and_resumed(small, [*SHORT, *NO_PACKAGE, *settings_of(rule)], tmp_path)


def test_a_run_that_was_killed_before_its_first_checkpoint_begins_again(
    small: Path, tmp_path: Path
) -> None:
    killed_and_resumed(small, [*SHORT, *NO_PACKAGE], tmp_path, turn=1)


def test_a_process_that_is_killed_leaves_a_run_that_goes_on(small: Path, tmp_path: Path) -> None:
    """SIGKILL, whatever the process is doing then."""
    settings = [*COMMON, *NO_PACKAGE, "protocol.rounds=40", "protocol.every_s=1800.0"]
    execute(load(small, settings), tmp_path / "whole", replay=None, progress=quiet)
    code = "import sys; from droidloop.scenarios.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", code, "run", str(small), "--out", str(tmp_path / "killed")]
    command += [part for setting in settings for part in ("--set", setting)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None and not (tmp_path / "killed" / NAME).exists():
        time.sleep(0.01)
    process.kill()
    process.wait()
    if (tmp_path / "killed" / NAME).exists():  # else it had ended before
        resume(tmp_path / "killed", progress=quiet)
    assert digest(tmp_path / "killed") == digest(tmp_path / "whole")


def test_a_complete_run_is_not_resumed(small: Path, tmp_path: Path) -> None:
    execute(load(small, [*SHORT, *NO_PACKAGE]), tmp_path / "run", replay=None, progress=quiet)
    with pytest.raises(UsageError, match="the run is complete"):
        resume(tmp_path / "run", progress=quiet)


def test_a_run_of_another_python_is_not_resumed(tmp_path: Path) -> None:
    directory = RunDirectory.create(tmp_path / "run", seed=1, scenario={})
    directory.write_manifest({**directory.manifest(), "python": "2.7"})
    with pytest.raises(UsageError, match=r"was begun with python 2\.7"):
        resume(tmp_path / "run", progress=quiet)


def test_resume_takes_no_scenario(command: Command, small: Path, tmp_path: Path) -> None:
    answer = command("run", small, "--resume", tmp_path)
    assert answer.exit_code == 2
    assert "the run goes on as it was begun" in answer.output
