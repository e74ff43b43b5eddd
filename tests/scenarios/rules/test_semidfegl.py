"""SemiDFEGL in a scenario: what is sent over which link, and every way of playing it."""

from pathlib import Path

import pytest

from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.summary import summarise
from tests.scenarios.conftest import Command
from tests.scenarios.run.test_run import digest
from tests.scenarios.small_worlds import values

DIM, ROWS, FAKES = 8, 50, 5
SETTINGS = (
    "training.rule='semidfegl'",
    f"training.rows={ROWS}",
    f"training.fakes={FAKES}",
    "delivery.variant='none'",
    "evaluation.baselines=[]",
    "protocol.kind='groups'",
    "protocol.rounds=6",
    "protocol.groups=3",
    "protocol.regroup_rounds=3",
)
REPORT_BYTES = 32 + 4 * DIM + 8
ROWS_BYTES = ROWS * (4 * DIM + 4)


def play(command: Command, small: Path, out: Path, *options: str) -> Path:
    given = [part for setting in (*SETTINGS, *options) for part in ("--set", setting)]
    result = command("run", small, "--out", out, *given)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def played(command: Command, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play(command, small, tmp_path_factory.mktemp("semidfegl") / "cohort")


def test_exact_play_gives_the_same_bytes(
    command: Command, small: Path, played: Path, tmp_path: Path
) -> None:
    exact = play(command, small, tmp_path / "exact", "play='exact'")
    assert digest(exact) == digest(played)


def test_bytes_between_phones_and_with_the_server_are_counted_apart(
    command: Command, played: Path
) -> None:
    """Reports first hold an ego vector, later rows too; answers hold rows and fakes."""
    links = summarise(RunDirectory(played))["link_bytes"]
    jobs = read(played, "jobs")
    done = jobs[(jobs["kind"] == Kind.EXCHANGE) & (jobs["outcome"] == Outcome.DONE)]
    assert sum(links.values()) == done["down_bytes"].sum() + done["up_bytes"].sum()
    reported, grouped = (values(played, "groups", name) for name in ("reported", "grouped"))
    assert len(reported) == 2
    assert 0 < reported[0] < 60
    answer_bytes = 32 + ROWS_BYTES + 8 * FAKES + 8
    answers = int((done["down_bytes"] == answer_bytes).sum())
    reports = reported[0] * REPORT_BYTES
    assert values(played, "groups", "server_bytes")[0] >= reports + grouped[0] * answer_bytes
    later = done[(done["round"] == 3) & (done["up_bytes"] > 0) & (done["flops"] == 0)]
    assert set(later["up_bytes"].tolist()) <= {REPORT_BYTES, REPORT_BYTES + ROWS_BYTES}
    total = reports + int(later["up_bytes"].sum()) + answers * answer_bytes
    assert links["with_server"] == total
    assert links["between_phones"] > 0
    assert f"MB between phones, {total / 1e6:,.1f} MB with the" in command("report", played).output


def test_it_wants_groups_and_no_more_fakes_than_rows(
    command: Command, small: Path, tmp_path: Path
) -> None:
    rule = ["--set", "training.rule='semidfegl'", "--set", "delivery.variant='none'"]
    alone = command("run", small, "--out", tmp_path / "a", *rule, "--set", "protocol.kind='gossip'")
    assert "needs a protocol that gives groups; choose from groups" in alone.output
    groups = [*rule, "--set", "protocol.kind='groups'", "--set", "training.fakes=121"]
    many = command("run", small, "--out", tmp_path / "b", *groups)
    assert "a group has 120 rows" in many.output
