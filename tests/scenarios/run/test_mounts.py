"""Disks that are real and small, or turn read-only, each in a mount namespace of the test's own."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.scenarios.killed_runs import digest

from .test_host import quiet
from .test_real_host import FILE, ROWS


def namespace() -> list[str]:
    """The command that runs a program in a mount namespace of its own, or skip."""
    for tool in ("unshare", "mount"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (util-linux)")
    command = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"])]
    trial = subprocess.run(
        [*command, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, text=True
    )
    if trial.returncode:
        pytest.skip(f"nothing can be mounted in a namespace: {trial.stderr.strip()}")
    return command


def test_a_run_outlives_a_full_disk_and_one_that_turns_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "events.csv").write_text(ROWS)
    file = tmp_path / "read.toml"
    file.write_text(FILE.replace("rounds = 4", "rounds = 12"))
    words = [sys.executable, "-P", "-m", "tests.scenarios.run.mounts", str(tmp_path), str(file)]
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [*namespace(), *words],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    full, other, again, finished = json.loads(done.stdout)
    assert full[0] == 1
    assert full[1].endswith("No space left on device: make room on that disk)")
    for name, (code, line) in (("other", other), ("run", again)):
        assert code == 2
        closed = "Read-only file system; make it writable, or choose another --out"
        assert line == f"Error: {tmp_path / 'disk' / name}: {closed}"
    assert finished == [0, ""]
    execute(load(file), tmp_path / "whole", replay=None, progress=quiet)
    assert digest(tmp_path / "finished") == digest(tmp_path / "whole")
