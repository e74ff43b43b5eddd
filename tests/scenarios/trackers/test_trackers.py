"""Trackers: what their own libraries read back is what the ledger says, killed run or not."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import droidloop
from droidloop.platform.errors import DroidloopError, UsageError
from droidloop.platform.jobs import ENERGY_PARTS
from droidloop.platform.ledger import Rows, read
from droidloop.scenarios.front.running import resume
from droidloop.scenarios.front.scenario import Scenario
from droidloop.scenarios.run import checkpoints
from tests.scenarios.conftest import Command

pytestmark = [
    # MLflow's and TensorBoard's own, of the libraries that they stand on
    pytest.mark.filterwarnings("ignore"),
]
TURNS = 4
CHANGES: dict[str, Any] = {
    "protocol.rounds": TURNS,
    "evaluation.baselines": [],
    "delivery.variant": "none",
}


class KilledError(Exception):
    """Stands for the end of the process."""


def killed(stage: str, done: int, total: int) -> None:
    if stage == "training" and done == 3:
        raise KilledError


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture(scope="module")
def run(small: Path, store: str, tmp_path_factory: pytest.TempPathFactory) -> droidloop.Result:
    """A run that both trackers hear of, killed in its third turn and gone on with."""
    pytest.importorskip("mlflow")
    pytest.importorskip("tensorboard")
    both, folder = ("mlflow", "tensorboard"), tmp_path_factory.mktemp("tracked")
    scenario = droidloop.load(small).with_(CHANGES)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("MLFLOW_TRACKING_URI", store)
        patch.setattr(checkpoints, "SHARE", 1e9)
        with pytest.raises(KilledError):
            droidloop.run(scenario, folder / "run", track=both, progress=killed)
        return resume(folder / "run", track=both)


def validation(run: droidloop.Result) -> list[float]:
    """Return HR@10 on the validation items by turn, from the ledger."""
    events = read(run.path, "events")
    mine = events[(events["kind"] == b"valid") & (events["name"] == b"hr_at_10_ppm")]
    found: list[float] = (mine["value"][np.argsort(mine["round"])] / 1e6).tolist()
    return found


def spent_j(jobs: Rows) -> float:
    return sum(int(jobs[name].sum()) for name in ENERGY_PARTS) / 1e6


def test_mlflow_shows_the_curves_of_a_run(run: droidloop.Result, store: str) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(store)
    experiment = client.get_experiment_by_name("small")
    assert experiment is not None
    [one] = client.search_runs([experiment.experiment_id])
    told = client.get_metric_history(one.info.run_id, "valid/hr_at_10")
    assert [point.step for point in told] == [1, 2, 3, 4]
    assert [point.value for point in told] == validation(run)
    metrics, jobs = one.data.metrics, read(run.path, "jobs")
    assert metrics["joules/total"] == pytest.approx(spent_j(jobs))
    assert metrics["bytes/up"] == jobs["uploaded_bytes"].sum()
    [value] = [
        record["value"]
        for record in run.records()
        if (record["figure"], record["users"], record["model"]) == ("hr_at_10", "all", "trained")
        and (record["part"], record["ranking"]) == ("test", "sampled")
    ]
    assert metrics["end/test/sampled/trained/hr_at_10"] == value
    assert one.info.status == "FINISHED"
    assert one.data.params["protocol.rounds"] == "4"
    kept = client.download_artifacts(one.info.run_id, "run.json")
    assert json.loads(Path(kept).read_text())["scenario"] == run.scenario


def test_tensorboard_shows_the_curves_of_a_run(run: droidloop.Result) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    shown = EventAccumulator(str(run.path / "tensorboard")).Reload()
    told = shown.Scalars("valid/hr_at_10")
    assert [point.step for point in told] == [1, 2, 3, 4]
    assert [point.value for point in told] == pytest.approx(validation(run))
    assert shown.Scalars("joules/total")[-1].value == pytest.approx(
        spent_j(read(run.path, "jobs")), rel=1e-6
    )
    assert "scenario/text_summary" in shown.Tags()["tensors"]


@pytest.mark.parametrize("name", ["mlflow", "tensorboard"])
def test_without_its_library_a_tracker_says_what_to_install(
    name: str, command: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for missing in (name, "torch.utils.tensorboard") if name == "tensorboard" else (name,):
        monkeypatch.setitem(sys.modules, missing, None)
    answer = command("run", small, "--out", tmp_path / "run", "--track", name)
    assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
    assert f"--track {name}: it cannot be imported" in answer.stderr
    assert "pip install 'droidloop[track]'" in answer.stderr
    assert not (tmp_path / "run").exists()


def test_a_store_that_cannot_be_reached_is_one_line(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://nowhere")
    scenario: Scenario = droidloop.load(small)
    with pytest.raises(DroidloopError, match=r"nonsense://nowhere cannot be reached") as caught:
        droidloop.run(scenario, tmp_path / "run", track=["mlflow"])
    assert "\n" not in str(caught.value)


def test_other_names_and_other_machines_are_refused(
    command: Command, small: Path, tmp_path: Path
) -> None:
    answer = command("run", small, "--track", "mlflo")
    assert (answer.exit_code, answer.stderr.count("\n")) == (2, 1)
    assert "--track = 'mlflo': there is no such tracker; did you mean 'mlflow'?" in answer.stderr
    plan = {"base": str(small), "grid": {"protocol.clients": [5]}}
    with pytest.raises(UsageError, match="runs on a cluster's machines are not tracked"):
        droidloop.sweep(plan, tmp_path / "s", ray="127.0.0.1:1", track=["tensorboard"])
