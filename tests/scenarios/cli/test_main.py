"""The command line: one JSON object or one table, one line for a mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result

from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.quality import GROUPS

QUALITY = [
    *(("trained", name) for name in ("hr_at_10", "ndcg_at_10", "recall_at_10")),
    *(("popularity", "hr_at_10"), ("int8", "hr_at_10"), ("int8", "top10_overlap")),
]
FIGURES = [
    *(
        f"latency_s.{kind}.{p}"
        for kind in ("round", "delivery", "inference")
        for p in ("p50", "p95")
    ),
    *(f"energy_j.{part}" for part in ("cpu", "promotion", "radio", "tail", "own", "total")),
    "bytes.down",
    "bytes.up",
    *(f"phones.{name}" for name in ("total", "reached", "refused", "dead")),
    "rounds",
    "wall_s",
    "synthetic.interactions",
]

Command = Callable[..., Result]
Runs = dict[str, RunDirectory]
Records = list[dict[str, Any]]


@pytest.fixture(scope="module")
def answer(runs: Runs, command: Command) -> Records:
    result = command("report", runs["cohort"].path, "--json")
    assert result.exit_code == 0
    loaded: Records = json.loads(result.stdout, parse_constant=pytest.fail)
    return loaded


def value(answer: Records, figure: str, users: str = "all") -> float:
    [one] = [one for one in answer if (one["figure"], one["users"]) == (figure, users)]
    assert isinstance(one["value"], int | float)
    return one["value"]


def test_json_is_records_that_a_data_frame_takes_as_they_are(answer: Records) -> None:
    assert len({tuple(sorted(one)) for one in answer}) == 1
    keys = ("scenario", "seed", "users", "model", "part", "ranking", "figure")
    assert len({tuple(one[key] for key in keys) for one in answer}) == len(answer)
    table = pa.Table.from_pylist(answer)
    assert table.schema.field("value").type == pa.float64()
    assert set(table["users"].to_pylist()) > {"all", "2017-2gb"}


@pytest.mark.parametrize(("model", "metric"), QUALITY)
def test_json_holds_the_quality_of_every_model(answer: Records, model: str, metric: str) -> None:
    where = {"users": "all", "model": model, "figure": metric, "ranking": "sampled"}
    [one] = [one for one in answer if where.items() <= one.items()]
    assert 0.0 <= one["value"] <= 1.0


@pytest.mark.parametrize("figure", FIGURES)
def test_json_holds_the_promised_number(answer: Records, figure: str) -> None:
    assert value(answer, figure) >= 0


def test_the_energy_total_is_the_sum_of_its_parts(answer: Records) -> None:
    parts = [f"energy_j.{part}" for part in ("cpu", "promotion", "radio", "tail", "own")]
    total = sum(value(answer, part) for part in parts)
    assert value(answer, "energy_j.total") == pytest.approx(total, abs=1e-5)


def test_classes_add_up_to_the_population(answer: Records) -> None:
    classes = {one["users"] for one in answer} - {"all", *GROUPS}
    assert sum(value(answer, "phones.total", name) for name in classes) == 60


def test_quality_has_its_interval_and_stands_beside_the_strongest_baseline(answer: Records) -> None:
    where = {"users": "all", "part": "test", "ranking": "sampled"}
    mine = [one for one in answer if where.items() <= one.items()]
    means = {one["model"]: one for one in mine if one["figure"] == "hr_at_10"}
    assert all(
        one["n"] == 60 and one["half_width"] > 0 for one in means.values() if one["model"] != "held"
    )
    [beside] = [one for one in mine if one["figure"] == "hr_at_10.trained_less_baseline"]
    strongest = max(
        ("popularity", "itemknn", "ease", "ials", "mf"), key=lambda m: means[m]["value"]
    )
    assert beside["model"] == strongest
    difference = means["trained"]["value"] - means[strongest]["value"]
    assert beside["value"] == pytest.approx(difference)


def test_the_report_is_a_table_for_people(runs: Runs, command: Command) -> None:
    result = command("report", runs["cohort"].path)
    assert result.exit_code == 0
    for words in (
        "int8 (LiteRT)",
        "popularity",
        "refused / dead",
        "J a phone: tail",
        "4 rounds",
        "±",
    ):
        assert words in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "quikstart"], "did you mean 'quickstart'"),
        (["run", "quickstart", "--set", "population.phones=0"], "phones = 0"),
        (["run", "quickstart", "--set", "population.battery_floor=-1"], "battery_floor = -1"),
        (["run", "quickstart", "--set", "protocol.kind=telepathy"], "kind = 'telepathy'"),
        (["run", "quickstart", "--set", "protocol.roundz=1"], "did you mean 'rounds'"),
        (["run", "quickstart", "--set", "data.path=nowhere"], "nowhere: no such file"),
        (["run", "federated-movielens"], "give the data with --set data.path"),
        (["run", "quickstart", "--replay", "nowhere"], "nowhere"),
        (["report", "nowhere"], "nowhere"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(
    command: Command,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    out = tmp_path / "run"
    result = command(*arguments, *(["--out", out] if arguments[0] == "run" else []))
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert not out.exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [("", "holds no interaction"), ("1,1,nan,1\n", "rating 'nan' is no finite number")],
)
def test_data_that_cannot_be_used_is_one_line_and_writes_nothing(
    command: Command,
    tmp_path: Path,
    rows: str,
    message: str,
) -> None:
    data = tmp_path / "data.csv"
    data.write_text("user,item,rating,time\n" + rows)
    out = tmp_path / "run"
    result = command("run", "quickstart", "--set", f"data.path={data}", "--out", out)
    assert result.exit_code == 2
    assert str(data) in result.stderr
    assert message in result.stderr
    assert not out.exists()


def test_a_run_never_writes_over_another(command: Command, runs: Runs) -> None:
    result = command("run", "quickstart", "--out", runs["cohort"].path)
    assert result.exit_code == 2
    assert "already there" in result.stderr


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from droidloop.scenarios.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([n for n in ('numpy', 'numba', 'torch', 'pydantic', 'pyarrow') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
