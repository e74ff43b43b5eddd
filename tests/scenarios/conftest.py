"""A small scenario, run once in each way of playing it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.cli.main import main
from tests.exported_once import exported_once

SMALL = """
name = "small"
title = "Sixty phones, four rounds"
seed = 5

[data]
items = 120
interactions = 20

[population]
phones = 60
off_at_night_share = 0.5

[churn]
lifetime_days = 1.0

[population.regions]
urban = 0.5
remote = 0.5

[model]
dim = 8

[protocol]
rounds = 4
every_s = 14400.0
deadline_s = 60.0
min_battery = 0.1

[delivery]
deadline_s = 3600.0
run_within_s = 600.0
"""

Command = Callable[..., Result]


def invoke(*arguments: object) -> Result:
    """Run the command line with *arguments*."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


@pytest.fixture(scope="session", autouse=True)
def one_export() -> Iterator[None]:
    """An export takes longer than a small run."""
    with exported_once():
        yield


@pytest.fixture(scope="session")
def command() -> Command:
    """The command line as a function."""
    return invoke


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small scenario."""
    path = tmp_path_factory.mktemp("scenario") / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.fixture(scope="session")
def runs(small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunDirectory]:
    """The small scenario played as cohort, exactly, as a replay, and with another seed."""
    folder = tmp_path_factory.mktemp("runs")
    ways: dict[str, list[object]] = {
        "cohort": [],
        "again": [],
        "exact": ["--set", "play=exact"],
        "replay": ["--replay", folder / "cohort"],
        "other": ["--seed", 6],
    }
    for name, options in ways.items():
        result = invoke("run", small, "--json", "--out", folder / name, *options)
        assert result.exit_code == 0, result.output
    return {name: RunDirectory.open(folder / name) for name in ways}
