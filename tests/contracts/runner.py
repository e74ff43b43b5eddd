"""What every runner must do: a class to inherit, with a fixture ``runner`` to fill in."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Runner
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Outcome
from tests.phone.export_models import BATCH, DIM, ROWS
from tests.phone.made import models

Arrays = Mapping[str, Any]
STEPS = 12
SLOW = 100_000
"""Steps that no runner makes in a second."""


def normal(purpose: str, *shape: int) -> Any:
    """Return float32 numbers of that *shape*, the same ones every time."""
    count = int(np.prod(shape))
    values = Draws(7, f"tests.runner.{purpose}").normal(np.arange(count), 0)
    return values.reshape(shape).astype(np.float32)


def below(purpose: str, limit: int, *shape: int) -> Any:
    """Return int32 numbers below *limit* of that *shape*, the same ones every time."""
    count = int(np.prod(shape))
    values = Draws(7, f"tests.runner.{purpose}").integers(np.arange(count), 0, limit)
    return values.reshape(shape).astype(np.int32)


def score_job(name: str = "scorer", **changes: Any) -> ModelJob:
    """Return a job that scores all items for one user with the model *name*."""
    path = models() / f"{name}.tflite"
    return replace(ModelJob(path, {"user": normal("user", 1, DIM)}, ["scores"]), **changes)


def train_job(**changes: Any) -> ModelJob:
    """Return a job of STEPS training steps, each on its own batch."""
    inputs = {
        "user": normal("private", 1, 16) * np.float32(0.1),
        "rows": normal("rows", ROWS, 16) * np.float32(0.1),
        "slots": below("slots", ROWS, STEPS, BATCH),
        "labels": below("labels", 2, STEPS, BATCH).astype(np.float32),
        "mask": np.minimum(below("mask", 5, STEPS, BATCH), 1).astype(np.float32),
        "rate": np.array([0.05], np.float32),
    }
    job = ModelJob(
        models() / "step.tflite",
        inputs,
        ["new_user", "new_rows", "loss"],
        every=frozenset({"loss"}),
        by_step=frozenset({"slots", "labels", "mask"}),
        feedback={"new_user": "user", "new_rows": "rows"},
        steps=STEPS,
    )
    return replace(job, **changes)


def on_host(job: ModelJob) -> dict[str, Any]:
    """Return what LiteRT of this process gives, step by step: the numbers to compare with."""
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(job.model), num_threads=1).get_signature_runner()
    fed = {into: out for out, into in job.feedback.items()}
    kept: dict[str, list[Any]] = {name: [] for name in job.outputs}
    last: dict[str, Any] = {}
    for step in range(job.steps):
        values = {
            name: last[fed[name]]
            if step and name in fed
            else (value[step % len(value)] if name in job.by_step else value)
            for name, value in job.inputs.items()
        }
        last = {name: np.array(value) for name, value in run(**values).items()}
        for name in job.outputs:
            kept[name].append(last[name])
    return {n: np.stack(v) if n in job.every else v[-1] for n, v in kept.items()}


def ran(runner: Runner, job: ModelJob) -> Ran:
    """Return the result of *job*, which must come to its end."""
    result = runner.run(job)
    assert isinstance(result, Ran), result
    return result


def failed(runner: Runner, job: ModelJob) -> Failed:
    """Return the failure of *job*, which must not come to its end."""
    result = runner.run(job)
    assert isinstance(result, Failed), result
    return result


class RunnerContract:
    """Inherit it and give the fixture ``runner``.

    Attributes:
        same_instructions: whether the runner's processor computes as this host does, so that
            int8 results are equal to the bit; else they are equal as float32 is, to 1e-5.
        limits_memory: whether the address space of a job can be limited there.
        int8: a model in int8 that its runtime can compute.
    """

    same_instructions = True
    limits_memory = True
    int8 = "scorer_d8"

    @pytest.fixture
    def runner(self) -> Runner:
        raise NotImplementedError

    def test_float32_outputs_are_the_hosts(self, runner: Runner) -> None:
        job = score_job()
        scores = ran(runner, job).outputs["scores"]
        np.testing.assert_allclose(scores, on_host(job)["scores"], rtol=0, atol=1e-5)

    @pytest.mark.parametrize("name", ["scorer_w8", "scorer_d8"])
    def test_int8_outputs_are_exactly_the_hosts(self, runner: Runner, name: str) -> None:
        job = score_job(name)
        scores = ran(runner, job).outputs["scores"]
        tolerance = 0 if self.same_instructions else 1e-5
        np.testing.assert_allclose(scores, on_host(job)["scores"], rtol=0, atol=tolerance)

    def test_training_steps_in_one_process_end_where_the_hosts_do(self, runner: Runner) -> None:
        job = train_job()
        result, expected = ran(runner, job), on_host(job)
        assert set(result.outputs) == {"new_user", "new_rows", "loss"}
        for name, value in result.outputs.items():
            np.testing.assert_allclose(value, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)
        assert not np.allclose(result.outputs["new_rows"], job.inputs["rows"], atol=1e-3)

    def test_an_output_of_every_step_has_an_axis_of_steps(self, runner: Runner) -> None:
        result = ran(runner, train_job())
        assert result.outputs["loss"].shape == (STEPS, 1)
        assert result.outputs["new_user"].shape == (1, 16)

    def test_slices_repeat_when_there_are_more_steps(self, runner: Runner) -> None:
        users = normal("users", 2, 1, DIM)
        job = score_job(
            self.int8,
            inputs={"user": users},
            by_step=frozenset({"user"}),
            every=frozenset({"scores"}),
            steps=3,
        )
        scores = ran(runner, job).outputs["scores"]
        np.testing.assert_array_equal(scores[2], scores[0])
        assert not np.array_equal(scores[1], scores[0])

    def test_times_and_memory_are_told(self, runner: Runner) -> None:
        result = ran(runner, score_job(self.int8, steps=5))
        assert result.invoke_us.shape == (5,)
        assert result.load_us > 0
        assert result.load_us + result.invoke_us.sum() <= result.wall_us
        assert result.cpu_us > 0
        assert 1 << 20 < result.peak_rss_bytes < 1 << 30

    def test_what_is_no_model_is_refused(self, runner: Runner, tmp_path: Path) -> None:
        path = tmp_path / "no.tflite"
        path.write_bytes(b"not a model" * 100)
        assert failed(runner, score_job(model=path)).outcome is Outcome.REFUSED_RUNTIME

    def test_a_cut_off_model_is_refused(self, runner: Runner, tmp_path: Path) -> None:
        path = tmp_path / "half.tflite"
        path.write_bytes((models() / "scorer.tflite").read_bytes()[:100_000])
        assert failed(runner, score_job(model=path)).outcome in (
            Outcome.REFUSED_RUNTIME,
            Outcome.FAILED_RUNNER,  # LiteRT's own check may be what it trips over
        )

    def test_a_models_name_is_only_a_name(self, runner: Runner, tmp_path: Path) -> None:
        path = tmp_path / "a b'$(touch harm);\"&.tflite"
        path.write_bytes((models() / f"{self.int8}.tflite").read_bytes())
        job = score_job(model=path)
        np.testing.assert_array_equal(
            ran(runner, job).outputs["scores"],
            ran(runner, score_job(self.int8)).outputs["scores"],
        )

    @pytest.mark.parametrize(
        ("changes", "names"),
        [
            ({"inputs": {}}, "user"),
            ({"inputs": {"user": np.zeros((1, DIM + 1), np.float32)}}, "user"),
            ({"inputs": {"user": np.zeros((1, DIM), np.int32)}}, "user"),
            ({"inputs": {"nobody": np.zeros(1, np.float32)}}, "nobody"),
            ({"outputs": ["nothing"]}, "nothing"),
            ({"signature": "no such signature"}, "no such signature"),
            ({"feedback": {"scores": "user"}}, "user"),
        ],
    )
    def test_a_job_that_does_not_fit_the_model_fails_by_name(
        self, runner: Runner, changes: dict[str, Any], names: str
    ) -> None:
        failure = failed(runner, score_job(self.int8, **changes))
        assert failure.outcome is Outcome.FAILED_RUNNER
        assert failure.message.startswith(f"{names}: ")

    def test_outputs_have_a_limit(self, runner: Runner) -> None:
        failure = failed(runner, score_job(self.int8, max_output_bytes=39_999))
        assert failure.outcome is Outcome.FAILED_OUTPUT
        assert "max_output_bytes" in failure.message

    def test_a_runner_that_does_not_finish_in_time_is_ended(self, runner: Runner) -> None:
        failure = failed(runner, score_job(steps=SLOW, timeout_s=1))
        assert failure == Failed(Outcome.FAILED_TIMEOUT, "the runner did not finish in 1 s")

    def test_memory_that_runs_out_is_named(self, runner: Runner) -> None:
        if not self.limits_memory:
            pytest.skip("the emulator of this processor needs the address space itself")
        job = ModelJob(
            models() / "hungry.tflite",
            {"x": np.ones(1, np.float32)},
            ["y"],
            memory_bytes=600 << 20,
        )
        failure = failed(runner, job)
        assert failure.outcome is Outcome.FAILED_MEMORY, failure

    def test_it_goes_on_after_a_failure(self, runner: Runner) -> None:
        failed(runner, score_job(self.int8, outputs=["nothing"]))
        ran(runner, score_job(self.int8))
