"""Rules on ego graphs in a scenario: what is sent, what is scored, and every way of playing it."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.platform.jobs import Kind
from droidloop.platform.ledger import read
from tests.scenarios.conftest import Command
from tests.scenarios.run.test_run import digest

N_ITEMS, DIM = 120, 8
TABLE_BYTES = 4 * N_ITEMS * DIM + 32
SETTINGS = {
    "fedgcn": ["evaluation.baselines=['lightgcn']"],
    "perfedrec": ["delivery.variant='none'", "training.clusters=3", "evaluation.baselines=[]"],
}


def play(command: Command, small: Path, out: Path, rule: str, *options: str) -> Path:
    """Run the small scenario under *rule* with half of the phones in a round."""
    settings = [f"training.rule='{rule}'", "protocol.clients=30", *SETTINGS[rule], *options]
    given = [part for setting in settings for part in ("--set", setting)]
    result = command("run", small, "--json", "--out", out, *given)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def played(
    command: Command, small: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("graph")
    return {rule: play(command, small, folder / rule, rule) for rule in SETTINGS}


@pytest.mark.parametrize("rule", SETTINGS)
def test_exact_play_gives_the_same_bytes(
    command: Command, small: Path, played: dict[str, Path], rule: str, tmp_path: Path
) -> None:
    exact = play(command, small, tmp_path / "exact", rule, "play='exact'")
    assert digest(exact) == digest(played[rule])


def test_a_phone_of_perfedrec_gets_two_tables_and_sends_its_embedding(
    played: dict[str, Path],
) -> None:
    for rule, tables in (("fedgcn", 1), ("perfedrec", 2)):
        jobs = read(played[rule], "jobs")
        train = jobs[jobs["kind"] == Kind.TRAIN]
        assert (train["down_bytes"] == 32 + tables * (TABLE_BYTES - 32)).all()
        assert ((train["up_bytes"] - 32 - (tables - 1) * 4 * DIM) % (4 * DIM + 4) == 0).all()
        assert 0 < len(train) <= 4 * 30


def test_each_part_of_the_mixture_is_printed_beside_the_mean(played: dict[str, Path]) -> None:
    names = {rule: set(np.unique(read(path, "metrics")["model"])) for rule, path in played.items()}
    assert names["perfedrec"] == {b"trained", b"global", b"cluster", b"own"}
    assert names["fedgcn"] == {b"trained", b"lightgcn", b"float32", b"int8", b"held"}


def test_the_file_that_ships_scores_as_the_phones_on_their_graphs(played: dict[str, Path]) -> None:
    metrics = read(played["fedgcn"], "metrics")
    pick = (metrics["name"] == b"ndcg_at_10") & (metrics["ranking"] == b"full")
    values = {
        model: metrics["value"][pick & (metrics["model"] == model)]
        for model in (b"trained", b"float32")
    }
    np.testing.assert_allclose(values[b"trained"].mean(), values[b"float32"].mean(), atol=0.02)
