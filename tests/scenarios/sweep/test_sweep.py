"""A sweep: the same ledgers as one process, nothing run twice, whatever ends it in between."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import droidloop
from droidloop.platform.errors import UsageError
from droidloop.platform.rundir import MANIFEST
from droidloop.scenarios.run import checkpoints
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.sweep import child, sweep
from droidloop.scenarios.sweep.plan import Plan, plan_of
from droidloop.scenarios.sweep.sweep import RunsFailedError
from tests.scenarios.conftest import Command
from tests.scenarios.killed_runs import digest

COMMAND = """
import signal
from droidloop.scenarios.cli.main import main
signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
main()
"""
TABLES = """
base = "small.toml"
seeds = [1, 2]

[fixed]
delivery.variant = "none"
evaluation.baselines = []
protocol.rounds = 3

[grid]
protocol.clients = [5, 10]
"""


def quiet(stage: str, done: int, total: int) -> None:
    """Show nothing."""


@pytest.fixture(scope="module")
def file(small: Path) -> Path:
    """The file of a sweep of four runs."""
    path = small.parent / "mine.toml"
    path.write_text(TABLES)
    return path


@pytest.fixture(scope="module")
def plan(file: Path) -> Plan:
    return plan_of(file)


@pytest.fixture(scope="module")
def alone(plan: Plan, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its runs, one after the other in this process."""
    out = tmp_path_factory.mktemp("alone")
    for run in plan.runs:
        execute(run.scenario, out / run.folder, replay=None, progress=quiet)
    return out


@contextmanager
def begun(file: Path, out: Path) -> Iterator[subprocess.Popen[str]]:
    """The command line at it, in a process of its own; the next run begins when one has ended."""
    options = ["sweep", str(file), "--out", str(out), "--processes", "1"]
    line = [sys.executable, "-c", COMMAND, *options]
    process = subprocess.Popen(line, stderr=subprocess.PIPE, text=True, start_new_session=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def wait_for(process: subprocess.Popen[str], words: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if words in line:
            return
    pytest.fail(f"it ended and did not say {words!r}")


def starts(out: Path, plan: Plan) -> dict[str, str]:
    """Return when each complete run was begun, and what its manifest is."""
    texts = {one.folder: out / one.folder / MANIFEST for one in plan.runs}
    found = {name: path.read_text() for name, path in texts.items() if path.exists()}
    return {name: text for name, text in found.items() if json.loads(text)["state"] == "complete"}


@pytest.mark.slow
def test_a_sweep_that_is_ended_twice_runs_nothing_twice(
    file: Path, plan: Plan, alone: Path, tmp_path: Path
) -> None:
    out = tmp_path / "sweep"
    with begun(file, out) as process:
        wait_for(process, "1 of 4 runs over")
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert is_free(out), "Ctrl-C ends the runs before the sweep itself ends"
    first = starts(out, plan)
    assert 1 <= len(first) < 4
    with begun(file, out) as process:
        wait_for(process, f"{len(first) + 1} of 4 runs over")
        process.kill()
        process.wait()
    second = starts(out, plan)
    assert first.items() < second.items()
    assert len(second) < 4
    made = droidloop.sweep(file, out, processes=2, track=["tensorboard"])
    last = starts(out, plan)
    for name in last.keys() - second.keys():
        assert list((out / name / "tensorboard").glob("events.*")), "its curves went there"
    assert second.items() < last.items()
    assert len(last) == 4
    for run in plan.runs:
        assert digest(out / run.folder) == digest(alone / run.folder)
    droidloop.sweep(file, out)
    assert starts(out, plan) == last
    comparison = made.compare()
    assert {one["runs"] for one in comparison.records()} == {
        "protocol.clients = 5",
        "protocol.clients = 10",
    }
    assert "Pareto" in comparison._repr_html_()
    assert len(made.results()) == len(made.runs) == 4


def is_free(out: Path) -> bool:
    """Tell whether no process holds the lock."""
    done = subprocess.run(["flock", "--nonblock", out / "sweep.lock", "true"])
    return done.returncode == 0


class KilledError(Exception):
    """Stands for the end of the process."""


def killed(stage: str, done: int, total: int) -> None:
    if done == 2:
        raise KilledError


def test_a_child_goes_on_with_what_another_left(
    plan: Plan, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    run, folder = plan.runs[0], tmp_path / "run"
    with pytest.raises(KilledError):
        execute(run.scenario, folder, replay=None, progress=killed)
    begun = json.loads((folder / MANIFEST).read_text())["started"]
    time.sleep(1.1)  # times in a manifest are whole seconds
    child.play(folder, run.scenario.resolved())
    assert digest(folder) == digest(alone / run.folder)
    assert json.loads((folder / MANIFEST).read_text())["started"] == begun


@pytest.mark.parametrize("harm", ["no manifest", "another version", "a damaged checkpoint"])
def test_a_child_begins_anew_where_it_cannot_go_on(
    plan: Plan, alone: Path, tmp_path: Path, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "SHARE", 1e9)
    run, folder = plan.runs[0], tmp_path / "run"
    with pytest.raises(KilledError):
        execute(run.scenario, folder, replay=None, progress=killed)
    if harm == "no manifest":
        (folder / MANIFEST).unlink()
    elif harm == "another version":
        content = json.loads((folder / MANIFEST).read_text())
        (folder / MANIFEST).write_text(json.dumps(content | {"droidloop": "0.0.0"}))
    else:
        (folder / "checkpoint.safetensors").write_bytes(b"harm")
    child.play(folder, run.scenario.resolved())
    assert digest(folder) == digest(alone / run.folder)


def put_complete(plan: Plan, alone: Path, out: Path) -> None:
    """Have *out* be a sweep whose runs are complete."""
    out.mkdir()
    for run in plan.runs:
        (out / run.folder).symlink_to(alone / run.folder)
    (out / "sweep.json").write_text("{}")


def test_what_is_complete_is_only_compared(
    command: Command, file: Path, plan: Plan, alone: Path, tmp_path: Path
) -> None:
    put_complete(plan, alone, tmp_path / "out")
    answer = command("sweep", file, "--out", tmp_path / "out", "--json")
    assert answer.exit_code == 0, answer.output
    records: list[dict[str, Any]] = json.loads(answer.stdout)
    assert "4 of 4 runs are complete already" in answer.stderr
    [one] = [one for one in records if one["figure"] == "hr_at_10" and one["against"]]
    assert (one["against"], one["runs"]) == ("protocol.clients = 5", "protocol.clients = 10")
    assert command("compare", tmp_path / "out", "--json").stdout == answer.stdout


def test_the_run_of_another_scenario_is_left_alone(
    file: Path, plan: Plan, alone: Path, tmp_path: Path
) -> None:
    put_complete(plan, alone, tmp_path / "out")
    wrong = tmp_path / "out" / plan.runs[1].folder
    wrong.unlink()
    wrong.symlink_to(alone / plan.runs[0].folder)
    with pytest.raises(UsageError, match=f"{wrong}: holds the run of another scenario; move"):
        droidloop.sweep(file, tmp_path / "out")


def test_another_folder_is_no_sweep(file: Path, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    with pytest.raises(UsageError, match=f"{tmp_path}: there is something else than a sweep"):
        droidloop.sweep(file, tmp_path)
    with pytest.raises(UsageError, match="no sweep there; give the directory of a sweep"):
        droidloop.Sweep(tmp_path)


def test_two_do_not_work_at_one_sweep(
    file: Path, plan: Plan, alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_complete(plan, alone, tmp_path / "out")
    monkeypatch.setattr(sweep, "_PATIENCE_S", 0.2)
    with sweep._locked(tmp_path / "out"), pytest.raises(UsageError, match="another process is at"):
        droidloop.sweep(file, tmp_path / "out")


def test_a_run_that_fails_is_told_in_a_line(tmp_path: Path) -> None:
    tables = {
        "base": "quickstart",
        "fixed": {"delivery": {"variant": "none"}},
        "grid": {"data": {"path": [str(tmp_path / "none.csv")]}},
    }
    with pytest.raises(RunsFailedError) as caught:
        droidloop.sweep(tables, tmp_path / "out")
    line = str(caught.value)
    assert line.startswith(f"1 of 1 runs failed; {tmp_path / 'out'}{os.sep}")
    assert "none.csv" in line
    assert "\n" not in line
