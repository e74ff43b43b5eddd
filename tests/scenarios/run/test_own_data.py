"""Data of one's own: what was read is told, repeats are nobody's secret, lists can be read."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.packages.package import Package
from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from tests.scenarios.conftest import Command

Play = Callable[..., tuple[str, RunDirectory]]
SETTINGS = [
    *(
        "population.ideal=true",
        "protocol.rounds=1",
        "evaluation.candidates=5",
        "evaluation.k=5",
        "model.dim=4",
    ),
    *("delivery.variant=none", "evaluation.baselines=['popularity']"),
]


def rows(times: bool) -> str:
    """Return a file of 12 users who had 6 of 20 films, the last of them for the second time."""
    lines = ["user,film,when" if times else "user,film"]
    for user in range(12):
        films = [(3 * user + k) % 20 for k in range(6)]
        for day, film in enumerate([*films, films[2]]):
            when = f",2024-03-{day + 1:02d}T08:00:00Z" if times else ""
            lines.append(f"u{user},film {film:02d}{when}")
    return "\n".join(lines) + "\n"


@pytest.fixture
def played(small: Path, tmp_path: Path, command: Command) -> Play:
    """Plays such a file with further settings; returns what was printed, and the run."""

    def play(*more: str, times: bool = True) -> tuple[str, RunDirectory]:
        file, out = tmp_path / "films.csv", tmp_path / "run"
        file.write_text(rows(times))
        columns = "{user = 'user', item = 'film'" + (", time = 'when'}" if times else "}")
        settings = [f"data.path={file}", f"data.columns={columns}", "population.phones=12"]
        words = [w for one in (*settings, *SETTINGS, *more) for w in ("--set", one)]
        result = command("run", small, *words, "--out", out)
        assert result.exit_code == 0, result.output
        return result.output, RunDirectory.open(out)

    return play


def test_repeats_are_dropped_and_that_is_told(played: Play) -> None:
    text, run = played()
    assert "data: 12 users, 20 items, 72 events, 2024-03-01 to 2024-03-06; 12 repeats" in text
    assert "dropped (data.repeats)" in text
    assert "notice" not in text
    split = read(run.path, "split")
    pairs = np.column_stack([split["phone"], split["item"]])
    assert len(np.unique(pairs, axis=0)) == len(pairs) == 72
    assert set(read(run.path, "devices")["user"]) == {f"u{k}".encode() for k in range(12)}


def test_repeats_that_are_kept_are_told_where_training_knows_them(played: Play) -> None:
    text, _ = played("data.repeats=keep")
    assert "84 events, 2024-03-01 to 2024-03-07; 12 repeats kept (data.repeats)" in text
    assert "notice: 12 test events are of items that their users have in training" in text


def test_missing_times_are_noticed(played: Play) -> None:
    text, _ = played(times=False)
    assert "72 events, without times" in text
    assert "notice: 72 events have no time: their order is that of the file" in text


def test_the_package_names_the_items_so_that_lists_can_be_read(played: Play) -> None:
    _, run = played("delivery.variant=int8")
    package = Package.load(run.path / "package")
    assert package.item_labels() == [f"film {k:02d}" for k in range(20)]
    assert "items.txt" in package.delivered("int8")
    jobs = read(run.path, "jobs")
    deliver = jobs[jobs["kind"] == Kind.DELIVER]
    assert (deliver["down_bytes"] >= package.delivery_bytes("int8")).all()
