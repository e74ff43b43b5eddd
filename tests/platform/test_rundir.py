"""The run directory: whole, or not there."""

import json
import os
from pathlib import Path

import pytest

from droidloop.platform.errors import LedgerError, UsageError
from droidloop.platform.ledger import SCHEMA_VERSION
from droidloop.platform.rundir import RunDirectory, instruction_set, replace_text


def test_a_new_run_says_what_it_runs_and_on_what(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "deep" / "run", seed=7, scenario={"name": "s"})
    manifest = RunDirectory.open(run.path).manifest()
    assert (manifest["seed"], manifest["scenario"]) == (7, {"name": "s"})
    assert manifest["schema"] == SCHEMA_VERSION
    assert manifest["state"] == "running"
    assert manifest["instructions"] == instruction_set()
    assert set(manifest["libraries"]) >= {"numpy", "numba", "simpy", "torch", "pyarrow"}


def test_a_finished_run_keeps_its_manifest_and_adds_the_facts(tmp_path: Path) -> None:
    run = RunDirectory.create(tmp_path / "run", seed=7, scenario={})
    run.finish({}, wall_s=1.5)
    manifest = run.manifest()
    assert (manifest["state"], manifest["wall_s"], manifest["seed"]) == ("complete", 1.5, 7)
    assert [path.name for path in run.path.iterdir()] == ["run.json"]


def test_an_empty_directory_may_be_used(tmp_path: Path) -> None:
    assert RunDirectory.create(tmp_path, seed=1, scenario={}).path == tmp_path


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="already there; choose another --out") as caught:
        RunDirectory.create(tmp_path, seed=1, scenario={})
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match="already there"):
        RunDirectory.create(tmp_path / "mine.txt", seed=1, scenario={})
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_directory_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"file/run: Not a directory; choose another --out"):
        RunDirectory.create(tmp_path / "file" / "run", seed=1, scenario={})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b'{"wall_s": NaN}', "NaN is no finite number"),
        (b'{"wall_s": 1e999}', "1e999 is no finite number"),
        (b"[1]", "not the manifest of a run"),
        (b"{}", "ledger schema None, but this droidloop reads 1 to 2"),
        (b'{"schema": 99}', "ledger schema 99, but this droidloop reads 1 to 2"),
    ],
)
def test_a_manifest_that_is_none_is_one_line(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises(LedgerError, match=reason) as caught:
        RunDirectory.open(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_place_without_a_run_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run there; give the directory of a run"):
        RunDirectory.open(tmp_path / "none")
    (tmp_path / "file").write_text("")
    with pytest.raises(LedgerError, match=r"Not a directory; give the directory of a run"):
        RunDirectory.open(tmp_path / "file")


def test_a_reader_sees_the_old_manifest_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed between writing and renaming, the old file is still whole."""
    run = RunDirectory.create(tmp_path / "run", seed=7, scenario={})
    before = (run.path / "run.json").read_bytes()

    def killed(source: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            run.finish({}, wall_s=1.0)
    assert (run.path / "run.json").read_bytes() == before
    run.finish({}, wall_s=2.0)
    assert run.manifest()["wall_s"] == 2.0


def test_a_manifest_is_readable_and_keeps_the_order_of_keys(tmp_path: Path) -> None:
    replace_text(tmp_path / "a", "b")
    assert (tmp_path / "a").read_text() == "b"
    run = RunDirectory.create(tmp_path / "run", seed=1, scenario={"b": 1, "a": 2})
    text = (run.path / "run.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2) + "\n"
    assert list(run.manifest()["scenario"]) == ["b", "a"]
