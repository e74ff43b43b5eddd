"""Every scenario that ships runs to its end, made small.

Nothing is exported and delivered: that takes seconds each, and has tests of its own.
"""

import json
import tomllib
from pathlib import Path

import pytest

from droidloop.models.fitting.baselines import SIMPLE
from droidloop.models.peer.place_rivals import PLACE_RIVALS
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.schema.fit import BASELINES
from droidloop.scenarios.schema.load import find, names
from tests.scenarios.conftest import Command

SMALL = {
    "population.phones": 30,
    "protocol.rounds": 2,
    "data.items": 120,
    "data.interactions": 15,
    "delivery.variant": "none",
    "evaluation.every": 1,
    "evaluation.candidates": 30,
}
MORE = {
    "asynchronous": {"protocol.clients": 10, "protocol.buffer": 4},
    "semidfegl": {"training.rows": 40},
    "adaptation": {"data.interactions": 40},
}


def given(name: str, section: str) -> dict[str, object]:
    """Return what the file of scenario *name* says in *section*."""
    found: dict[str, object] = tomllib.loads(find(name).read_text()).get(section, {})
    return found


OURS = [name for name in names() if "path" not in given(name, "data")]


@pytest.mark.parametrize("name", OURS)
def test_a_scenario_of_the_library_runs_to_its_end(
    command: Command, tmp_path: Path, name: str
) -> None:
    settings = SMALL | MORE.get(name, {})
    if "users" in given(name, "data"):
        settings["data.users"] = 30
    options = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    run = tmp_path / "run"
    result = command("run", name, *options, "--out", run, "--json")
    assert result.exit_code == 0, result.output
    assert RunDirectory.open(run).manifest()["state"] == "complete"
    assert (read(run, "jobs")["phone"] < 30).all()
    metrics = read(run, "metrics")
    assert b"trained" in metrics["model"]
    records = json.loads(result.stdout)
    [beside] = [one for one in records if one["figure"].endswith(".trained_less_baseline")]
    assert beside["model"] != "trained"
    assert beside["half_width"] > 0


def test_scenarios_that_are_left_out_need_data_of_the_user() -> None:
    assert set(names()) - set(OURS) == {"federated-movielens"}


def test_baselines_have_the_names_by_which_scenarios_choose_them() -> None:
    assert sorted((*SIMPLE, *PLACE_RIVALS)) == sorted(BASELINES)
