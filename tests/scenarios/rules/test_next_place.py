"""DCLR and MAC in scenarios: who is linked, what is sent, and what the data must say."""

import json
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.data.synthetic_check_ins import generate_check_ins
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from tests.scenarios.conftest import Command
from tests.scenarios.run.test_run import digest

SETTINGS = (
    "training.rule='mac'",
    "training.dims=[4, 8]",
    "training.held=20",
    "training.questions=6",
    "data.places=true",
    "data.items=60",
    "population.phones=20",
    "delivery.variant='none'",
    "evaluation.baselines=[]",
    "protocol.kind='gossip'",
    "protocol.rounds=3",
    "protocol.topology.kind='category'",
    "protocol.topology.links=3",
)


RANKINGS = ("full", "returns", "first", "new")


def play(command: Command, small: Path, out: Path, *options: str) -> str:
    given = [part for setting in (*SETTINGS, *options) for part in ("--set", setting)]
    result = command("run", small, "--out", out, *given)
    return "" if result.exit_code == 0 else result.output


def test_every_message_of_mac_is_scores_whatever_the_size_and_exact_play_gives_the_same_bytes(
    command: Command, small: Path, tmp_path: Path
) -> None:
    assert play(command, small, tmp_path / "cohort") == ""
    assert play(command, small, tmp_path / "exact", "play='exact'") == ""
    assert digest(tmp_path / "cohort") == digest(tmp_path / "exact")
    jobs = read(tmp_path / "cohort", "jobs")
    done = jobs[(jobs["kind"] == Kind.EXCHANGE) & (jobs["outcome"] == Outcome.DONE)]
    assert set(done["up_bytes"].tolist()) <= {0, 32 + 6 * (4 * 48 + 4)}
    assert (done["up_bytes"] > 0).any()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("data.places=false",), "the data name no places"),
        (("training={rule='gossip-mf'}",), "knows no places"),
    ],
    ids=["items", "another rule"],
)
def test_what_has_no_places_is_told_in_one_line(
    command: Command, small: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    output = play(command, small, tmp_path / "run", *options)
    assert told in " ".join(output.split())


def test_a_folder_of_check_ins_is_recognised(command: Command, small: Path, tmp_path: Path) -> None:
    events, places = generate_check_ins(24, 60, 10, Draws(4, "folder"))
    visits = np.stack([events.users + 1, events.items + 1, events.times_s // 60], axis=1)
    np.save(tmp_path / "NYC.npy", visits.astype(np.int32))
    at = np.stack([places.labels + 1.0, places.latitude, places.longitude], axis=1)
    np.save(tmp_path / "NYC_POI.npy", at)
    options = (f"data.path='{tmp_path}'", "protocol.rounds=1", "model.categories=4")
    assert play(command, small, tmp_path / "run", *options) == ""


def test_a_run_on_check_ins_tells_returns_from_first_visits_beside_the_baselines_of_places(
    command: Command, small: Path, tmp_path: Path
) -> None:
    names = ("visits", "visits-then-near", "popular-near", "next-place")
    baselines = f"evaluation.baselines={list(names)}"
    assert play(command, small, tmp_path / "run", "protocol.rounds=1", baselines) == ""
    metrics = read(tmp_path / "run", "metrics")
    hits = metrics[metrics["name"] == b"hr_at_10"]
    for model in (b"trained", *(name.encode() for name in names)):
        mine = hits[hits["model"] == model]
        phones = {r: set(mine["phone"][mine["ranking"] == r.encode()].tolist()) for r in RANKINGS}
        assert phones["returns"] | phones["first"] == phones["full"]
        assert not phones["returns"] & phones["first"]
        assert phones["new"] == phones["first"]
    answer = json.loads(command("report", tmp_path / "run", "--json").output)
    assert {"returns", "first", "new"} <= {one["ranking"] for one in answer}


def test_baselines_of_places_need_places(command: Command, small: Path, tmp_path: Path) -> None:
    given = ("data.places=false", "training={rule='gossip-mf'}", "protocol.topology.kind='none'")
    output = play(command, small, tmp_path / "run", *given, "evaluation.baselines=['visits']")
    assert "evaluation.baselines = ['visits']: the data name no places" in " ".join(output.split())
