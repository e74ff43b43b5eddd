"""MPDA in scenarios: what phones fetch, how that is judged, and what the data must say."""

import json
from pathlib import Path

import numpy as np
import pytest

from droidloop.models.data.synthetic import generate
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from tests.scenarios.conftest import Command
from tests.scenarios.run.test_run import digest

SETTINGS = (
    "training.rule='mpda'",
    "model.history=6",
    "model.hidden=4",
    "training.pools=2",
    "training.pool_size=5",
    "training.cloud_epochs=2",
    "data.items=60",
    "data.interactions=40",
    "population.phones=24",
    "delivery.variant='none'",
    "evaluation.baselines=[]",
    "protocol.kind='local'",
    "protocol.rounds=2",
)
POOL_BYTES = 5 * (4 + 4 + 6 * 4)


def play(command: Command, small: Path, out: Path, *options: str) -> str:
    given = [part for setting in (*SETTINGS, *options) for part in ("--set", setting)]
    result = command("run", small, "--out", out, *given)
    return "" if result.exit_code == 0 else " ".join(result.output.split())


def moved(run: Path, kind: Kind) -> list[int]:
    """Return the bytes that phones fetched in jobs of *kind* that came to their end."""
    jobs = read(run, "jobs")
    assert not jobs["up_bytes"].any()
    done: list[int] = jobs["down_bytes"][
        (jobs["kind"] == kind) & (jobs["outcome"] == Outcome.DONE)
    ].tolist()
    return done


@pytest.fixture(scope="module")
def run(command: Command, small: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("adaptation") / "run"
    assert play(command, small, folder) == ""
    return folder


def test_pools_are_what_a_phone_fetches_in_a_turn_and_nothing_is_sent(
    command: Command, small: Path, run: Path, tmp_path: Path
) -> None:
    turns = moved(run, Kind.TUNE)
    assert turns
    assert all(2 * POOL_BYTES < fetched < 2 * POOL_BYTES + 200 for fetched in turns)
    assert play(command, small, tmp_path / "none", "training.donors='none'") == ""
    assert set(moved(tmp_path / "none", Kind.TUNE)) == {0}
    assert moved(tmp_path / "none", Kind.DELIVER) == moved(run, Kind.DELIVER)


def test_the_same_seed_gives_the_same_bytes_and_so_does_exact_play(
    command: Command, small: Path, run: Path, tmp_path: Path
) -> None:
    assert play(command, small, tmp_path / "again", "play='exact'") == ""
    assert digest(tmp_path / "again") == digest(run)


def test_other_donors_give_other_models(
    command: Command, small: Path, run: Path, tmp_path: Path
) -> None:
    # A rate so large that tuning shows after two turns.
    values = []
    for donors in ("similar", "random"):
        folder = tmp_path / donors
        settings = (f"training.donors='{donors}'", "training.learning_rate=1.0")
        assert play(command, small, folder, *settings) == ""
        metrics = read(folder, "metrics")
        values.append(metrics["value"][metrics["model"] == b"trained"].tolist())
    assert values[0] != values[1]


def test_auc_of_phones_and_of_the_cloud_is_reported_by_part(command: Command, run: Path) -> None:
    metrics = read(run, "metrics")
    assert set(metrics["name"].tolist()) == {b"auc"}
    kinds = np.unique(metrics[["model", "part"]]).tolist()
    assert kinds == [
        (model, part) for model in (b"cloud", b"trained") for part in (b"test", b"valid")
    ]
    answer = json.loads(command("report", run, "--json").output)
    mine = metrics[(metrics["model"] == b"trained") & (metrics["part"] == b"valid")]
    where = {"users": "all", "model": "trained", "part": "valid", "figure": "auc"}
    [one] = [one for one in answer if where.items() <= one.items()]
    assert one["value"] == pytest.approx(mine["value"].mean())
    shown = command("report", run).output
    assert "AUC by user" in shown
    assert "HR@" not in shown


def test_a_run_without_rankings_is_drawn_and_compared_by_auc(
    command: Command, run: Path, tmp_path: Path
) -> None:
    drawn = command("report", run, "--picture", tmp_path / "run.png")
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "run.png").stat().st_size > 0
    result = command("compare", run, "--json", "--target", "auc=0.01")
    assert result.exit_code == 0, result.output
    found = {(one["figure"], one["users"], one["target"]): one for one in json.loads(result.output)}
    metrics = read(run, "metrics")
    mine = metrics[(metrics["model"] == b"trained") & (metrics["part"] == b"test")]
    assert found["auc", "all", None]["mean"] == pytest.approx(mine["value"].mean())
    assert found["hours", "all", "auc=0.01"]["n"] == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("evaluation.baselines=['mf']",), "set evaluation.baselines = []"),
        (
            ("protocol={kind='rounds', rounds=1}",),
            "needs a protocol that gives local; choose from local",
        ),
        (("delivery.variant='int8'",), "set delivery.variant = 'none'"),
        (("training.donors='friends'",), "donors"),
        (("evaluation.metrics=['hr']",), "this rule ranks no items; choose from auc, log-loss"),
        (("data.items=5",), "greater than or equal to 10"),
    ],
    ids=["baselines", "protocol", "delivery", "donors", "metrics", "items"],
)
def test_a_wrong_setting_is_told_in_one_line(
    command: Command, small: Path, tmp_path: Path, options: tuple[str, ...], told: str
) -> None:
    assert told in play(command, small, tmp_path / "run", *options)
    assert not (tmp_path / "run").exists()


def movielens(folder: Path, *, liked: bool = False) -> Path:
    """Write ratings of 24 people as MovieLens 100K has them; all are 5 if *liked*."""
    folder.mkdir()
    data = generate(24, 60, 40, Draws(4, "folder"))
    ratings = data.ratings * 0 + 5 if liked else data.ratings
    columns = np.stack([data.users + 1, data.items + 1, ratings, data.times_s], axis=1)
    np.savetxt(folder / "u.data", columns.astype(np.int64), fmt="%d", delimiter="\t")
    return folder


def test_what_is_known_of_people_and_films_is_read_where_it_lies_beside_the_ratings(
    command: Command, small: Path, tmp_path: Path
) -> None:
    folder, sizes = movielens(tmp_path / "ml"), []
    people = "".join(f"{k}|{20 + k}|M|{'artist' if k % 2 else 'cook'}|1\n" for k in range(1, 25))
    flags = "|".join(["1", "0"] + ["0"] * 17)
    films = "".join(f"{k}|film|1995||url|{flags}\n" for k in range(1, 61))
    for name in ("bare", "told"):
        if name == "told":
            (folder / "u.user").write_text(people)
            (folder / "u.item").write_text(films)
        assert play(command, small, tmp_path / name, f"data.path='{folder}'") == ""
        sizes.append(moved(tmp_path / name, Kind.DELIVER)[0])
    rows = 19 + 7 + 2 + 2  # genres, age groups, genders, occupations: of 8 numbers each
    assert 4 * 8 * rows <= sizes[1] - sizes[0] < 4 * 8 * rows + 200


def test_data_that_do_not_say_what_is_not_liked_are_refused(
    command: Command, small: Path, tmp_path: Path
) -> None:
    folder = movielens(tmp_path / "ml", liked=True)
    rated = (f"data.path='{folder}'", "training.samples='rated'")
    assert "no user has samples of both kinds" in play(command, small, tmp_path / "run", *rated)
    assert play(command, small, tmp_path / "next", rated[0]) == ""


def test_whether_rated_events_are_liked_is_told_on_request(
    command: Command, small: Path, run: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "rated"
    assert play(command, small, folder, "training.samples='rated'") == ""
    judged = [len(np.unique(read(one, "metrics")["phone"])) for one in (folder, run)]
    assert 0 < judged[0] < judged[1]
