"""What the host does to a run, for real: limits, folders without leave, data that are gone."""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from droidloop.platform.checkpoint import NAME
from droidloop.platform.errors import UsageError
from droidloop.platform.stopping import StoppedError, patient
from droidloop.scenarios.run.run import execute, resume
from droidloop.scenarios.schema.load import load
from tests.scenarios.killed_runs import digest

from .test_host import quiet, signalled_in

MAIN = "from droidloop.scenarios.cli.main import main; main()"
ROWS = "user,item,time\n" + "".join(
    f"u{user},i{(user * 3 + k) % 11},{1000 + 40 * k + user}\n"
    for user in range(12)
    for k in range(8)
)
FILE = """
name = "read"
title = ""
[data]
path = "events.csv"
columns = {user = "user", item = "item", time = "time"}
[protocol]
rounds = 4
every_s = 7200.0
deadline_s = 3600.0
[delivery]
variant = "none"
[evaluation]
candidates = 5
k = 3
baselines = ["popularity"]
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A scenario that reads a file of data beside it."""
    (tmp_path / "events.csv").write_text(ROWS)
    (tmp_path / "read.toml").write_text(FILE)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "read.toml"


def stopped(file: Path, out: Path) -> None:
    """Leave a run in *out* that a signal has ended at a checkpoint."""
    with pytest.raises(StoppedError, match="go on with"), patient(lambda line: None):
        execute(load(file), out, replay=None, progress=signalled_in(2, signal.SIGTERM))
    assert (out / NAME).exists()


def said(
    *words: str | Path, limited: Callable[[], None] | None = None, without: bool = False
) -> tuple[int, str]:
    """Run ``droidloop`` in a process that is *limited*, or *without* root's leave to write.

    Returns its exit code and what it said on standard error.
    """
    command = [sys.executable, "-P", "-c", MAIN, *map(str, words)]
    if without and os.geteuid() == 0:  # root may write everywhere, unless that is taken away
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", *command]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limited)
    return done.returncode, done.stderr


def memory() -> None:
    """Take no more than 1 GB of address space."""
    resource.setrlimit(resource.RLIMIT_AS, (1_000_000_000, 1_000_000_000))


def files() -> None:
    """Have no more than 12 files open at once."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))


@pytest.mark.parametrize(
    ("limited", "line"),
    [
        (memory, "memory is limited to 1.0 GB and 1.5 are needed: raise `ulimit -v`"),
        (files, "open files are limited to 12 and 32 are needed: raise `ulimit -n`"),
    ],
)
@pytest.mark.parametrize(
    "words", [("run", "quickstart"), ("run", "--resume", "x"), ("report", "x"), ("devices", "list")]
)
def test_what_cannot_be_done_within_the_limits_is_not_begun(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: tuple[str, ...],
    limited: Callable[[], None],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said(*words, limited=limited) == (1, f"Error: {line}\n")
    assert list(tmp_path.iterdir()) == []


def test_a_run_whose_data_are_gone_goes_on_when_they_are_there_again(
    file: Path, tmp_path: Path
) -> None:
    out, data, aside = tmp_path / "run", tmp_path / "events.csv", tmp_path / "aside.csv"
    stopped(file, out)
    data.rename(aside)
    with pytest.raises(UsageError, match=r"events\.csv"):
        resume(out, progress=quiet)
    data.write_text(ROWS.replace("i3,", "i4,"))  # others in their place
    with pytest.raises(UsageError, match=r"events\.csv"):
        resume(out, progress=quiet)
    aside.rename(data)
    resume(out, progress=quiet)
    execute(load(file), tmp_path / "whole", replay=None, progress=quiet)
    assert digest(out) == digest(tmp_path / "whole")


@pytest.mark.skipif(
    os.geteuid() == 0 and shutil.which("setpriv") is None, reason="root needs setpriv"
)
def test_a_folder_without_leave_to_write_is_told_in_a_line(file: Path, tmp_path: Path) -> None:
    out, closed = tmp_path / "run", tmp_path / "closed"
    stopped(file, out)
    closed.mkdir()
    for folder in (out, closed):
        folder.chmod(0o555)
    try:
        code, line = said("run", file, "--out", closed / "run", without=True)
        assert (code, line.count("\n")) == (2, 1)
        remedy = "Permission denied; make it writable, or choose another --out"
        assert line.endswith(f"closed/run: {remedy}\n")
        code, line = said("run", "--resume", out, without=True)
        assert (code, line.count("\n")) == (2, 1), line
        assert "Permission denied" in line
    finally:
        for folder in (out, closed):
            folder.chmod(0o755)
    resume(out, progress=quiet)
    execute(load(file), tmp_path / "whole", replay=None, progress=quiet)
    assert digest(out) == digest(tmp_path / "whole")
