"""A run that is not whole is refused in one line: killed, cut, doubled, edited, or of others."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from droidloop.platform.ledger import SCHEMA_VERSION
from tests.fuzz.keys import SMALL, play
from tests.scenarios.conftest import Command

OLDER = Path(__file__).parents[2] / "platform" / "older_run"
Edit = Callable[[Path], object]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("broken") / "run"
    play(SMALL, folder)
    return folder


@pytest.fixture
def run(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "run"))


def edit(folder: Path, **keys: Any) -> None:
    path = folder / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))


def refused(command: Command, *arguments: object) -> str:
    result = command(*arguments)
    assert result.exit_code == 1, result.output
    [line] = result.output.splitlines()
    return line


def test_the_whole_run_is_reported(run: Path, command: Command) -> None:
    result = command("report", run, "--json")
    assert result.exit_code == 0
    assert json.loads(result.output)


def test_a_killed_run_is_not_reported_as_if_it_were_one(run: Path, command: Command) -> None:
    edit(run, state="running")
    for arguments in (["report"], ["report", "--json"], ["compare"]):
        line = refused(command, *arguments, run)
        assert "not complete" in line
        assert f"`droidloop run --resume {run}`" in line


BROKEN: dict[str, tuple[Edit, str]] = {
    "deleted": (lambda run: (run / "jobs/000000.parquet").unlink(), "000000.parquet: is missing"),
    "doubled": (
        lambda run: shutil.copy(run / "jobs/000000.parquet", run / "jobs/000001.parquet"),
        "is not one of the run's",
    ),
    "swapped": (
        lambda run: shutil.copy(run / "jobs/000000.parquet", run / "metrics/000000.parquet"),
        "metrics",
    ),
    "cut": (
        lambda run: (run / "jobs/000000.parquet").write_bytes(
            (run / "jobs/000000.parquet").read_bytes()[:-40]
        ),
        "not a segment of 'jobs'",
    ),
    "list gone": (lambda run: edit(run, segments=None), "segments = None"),
    "list odd": (lambda run: edit(run, segments={"jobs": ["x"]}), "not the rows of each segment"),
    "newer": (lambda run: edit(run, schema=SCHEMA_VERSION + 1), f"schema {SCHEMA_VERSION + 1}"),
    "foreign": (lambda run: edit(run, schema="pandas 3"), "schema 'pandas 3'"),
}


@pytest.mark.parametrize("how", BROKEN)
def test_what_is_not_as_it_was_written_is_refused(run: Path, command: Command, how: str) -> None:
    change, said = BROKEN[how]
    change(run)
    assert said in refused(command, "report", run)


def test_an_older_ledger_is_read(command: Command) -> None:
    assert json.loads((OLDER / "run.json").read_text())["schema"] < SCHEMA_VERSION
    assert command("report", OLDER).exit_code == 0


ODD: list[Any] = [None, -1, 2**70, 0.5, "x", "\x1b[31m\n", [], {}, [[1]], {"a": None}]


GONE = "the key is not there"


@pytest.mark.parametrize("where", ["", "scenario"])
def test_an_edited_manifest_never_ends_in_a_traceback(
    run: Path, command: Command, where: str
) -> None:
    path = run / "run.json"
    text = path.read_text()
    keys: dict[str, Any] = json.loads(text)
    for name in where.split(".") if where else []:
        keys = keys[name]
    ends, odd = set(), [*ODD, GONE]
    for turn, key in enumerate(sorted(keys)):
        for number in range(3):  # `python -m tests.fuzz` tries more
            value = odd[(3 * turn + number) % len(odd)]
            content = json.loads(text)
            table = content
            for name in where.split(".") if where else []:
                table = table[name]
            table[key] = value
            if value == GONE:
                del table[key]
            path.write_text(json.dumps(content))
            for name in ("report", "compare") if number == 0 else ("report",):
                result = command(name, run)
                assert result.exit_code in (0, 1, 2), (key, value, result.exception)
                assert result.exception is None or isinstance(result.exception, SystemExit), key
                if result.exit_code:
                    assert len(result.output.splitlines()) == 1, (key, value, result.output)
                ends.add(result.exit_code)
    assert len(ends) > 1, "some matter and some do not"


def test_a_run_whose_server_refused_all_says_so_first(tmp_path: Path, command: Command) -> None:
    sender = {"kind": "flipped-signs", "share": 1.0, "times": 1e9}
    protocol = {**SMALL["protocol"], "senders": [sender]}
    play({**SMALL, "protocol": protocol}, tmp_path / "run")
    result = command("report", tmp_path / "run")
    assert result.exit_code == 0
    first = result.output.splitlines()[0]
    assert first.startswith("notice: nothing was learned: the server refused every one of")
    assert "bound" in first
