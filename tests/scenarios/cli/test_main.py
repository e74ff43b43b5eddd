"""The command line: one JSON object or one table, one line for a mistake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from droidloop.platform.rundir import RunDirectory

KEYS = [
    "quality.hr_at_10",
    "quality.ndcg_at_10",
    "quality.popularity.hr_at_10",
    "quality.int8.hr_at_10",
    "quality.int8.top10_overlap",
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
]

Command = Callable[..., Result]
Runs = dict[str, RunDirectory]


@pytest.fixture(scope="module")
def answer(runs: Runs, command: Command) -> dict[str, object]:
    result = command("report", runs["cohort"].path, "--json")
    assert result.exit_code == 0
    loaded: dict[str, object] = json.loads(result.stdout)
    return loaded


@pytest.mark.parametrize("key", KEYS)
def test_json_holds_the_promised_number(answer: dict[str, object], key: str) -> None:
    value: object = answer
    for name in key.split("."):
        assert isinstance(value, dict)
        value = value[name]
    assert isinstance(value, int | float)


def test_the_energy_total_is_the_sum_of_its_parts(answer: dict[str, object]) -> None:
    energy = answer["energy_j"]
    assert isinstance(energy, dict)
    parts = sum(value for name, value in energy.items() if name != "total")
    assert energy["total"] == pytest.approx(parts, abs=1e-5)


def test_classes_add_up_to_the_population(answer: dict[str, object]) -> None:
    classes = answer["classes"]
    assert isinstance(classes, dict)
    assert sum(facts["phones"]["total"] for facts in classes.values()) == 60


def test_the_report_is_a_table_for_people(runs: Runs, command: Command) -> None:
    result = command("report", runs["cohort"].path)
    assert result.exit_code == 0
    for words in ("int8 (LiteRT)", "popularity", "refused / dead", "J a phone: tail", "4 rounds"):
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
