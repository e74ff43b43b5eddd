"""The runner on ``benchmark_model``: what it is told, and what becomes of what it prints.

The tool itself exists for Android on ARM alone; a program with its flags and its output stands in.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.android.parsers.op_profile import Operator
from droidloop.devices.android.runners.benchmark import (
    BenchmarkRunner,
    Extra,
    Signature,
    flags,
    open_tool,
)
from droidloop.devices.fleets.model_job import ModelJob, OnDevice
from droidloop.platform.errors import UsageError
from droidloop.platform.jobs import Outcome
from tests.contracts.local_device import LocalDevice
from tests.contracts.runner import failed, on_host, ran, score_job, train_job

FAKE = Path(__file__).with_name("fake_benchmark_model.py")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "device"


@pytest.fixture
def runner(tmp_path: Path, root: Path) -> BenchmarkRunner:
    return BenchmarkRunner(LocalDevice(), _tool(tmp_path, FAKE.read_text()), root=str(root))


def _tool(folder: Path, text: str) -> Path:
    path = folder / "benchmark_model"
    path.write_text(f"#!{sys.executable}\n{text}")
    return path


@pytest.mark.parametrize("name", ["scorer", "scorer_d8"])
def test_outputs_are_the_hosts(runner: BenchmarkRunner, name: str) -> None:
    job = score_job(name, steps=3)
    np.testing.assert_array_equal(ran(runner, job).outputs["scores"], on_host(job)["scores"])


def test_several_inputs_and_outputs_keep_their_names(runner: BenchmarkRunner) -> None:
    """The graph's order is neither the job's nor the alphabet's; the tool goes by the graph's."""
    job = train_job()
    inputs = {n: v[0] if n in job.by_step else v for n, v in job.inputs.items()}
    plain = ModelJob(job.model, inputs, ["loss", "new_rows", "new_user"])
    result, expected = ran(runner, plain), on_host(plain)
    for name in plain.outputs:
        np.testing.assert_array_equal(result.outputs[name], expected[name])


def test_what_it_prints_becomes_times_and_memory(runner: BenchmarkRunner) -> None:
    result = ran(runner, score_job("scorer_d8", steps=4))
    assert result.invoke_us.shape == (1,)
    assert result.peak_rss_bytes == round(3.25 * 2**20)
    assert 0 < result.load_us < result.wall_us
    assert result.cpu_us > 0


def test_nothing_of_a_job_stays_and_clean_leaves_nothing(
    runner: BenchmarkRunner, root: Path
) -> None:
    ran(runner, score_job("scorer_d8"))
    assert list((root / "jobs").iterdir()) == []
    runner.clean()
    assert not root.exists()


@pytest.mark.parametrize(
    "changes",
    [
        {"feedback": {"scores": "user"}},
        {"by_step": frozenset({"user"})},
        {"every": frozenset({"scores"})},
        {"model": OnDevice("/data/local/tmp/model.tflite")},
    ],
)
def test_it_does_plain_inference_alone(runner: BenchmarkRunner, changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="plain inference with a model file of this host"):
        runner.run(score_job("scorer_d8", **changes))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"inputs": {}}, "user: is an input that the job lacks"),
        ({"outputs": ["nothing"]}, "nothing: is no tensor of this signature"),
        ({"inputs": {"user": np.zeros(3, np.float32)}}, "user: has another element type or shape"),
    ],
)
def test_a_job_that_does_not_fit_the_model_fails_by_name(
    runner: BenchmarkRunner, changes: dict[str, Any], message: str
) -> None:
    failure = failed(runner, score_job("scorer_d8", **changes))
    assert failure.outcome is Outcome.FAILED_RUNNER
    assert failure.message.startswith(message)


def test_what_is_no_model_is_refused(runner: BenchmarkRunner, tmp_path: Path) -> None:
    path = tmp_path / "no.tflite"
    path.write_bytes(b"not a model" * 100)
    assert failed(runner, score_job(model=path)).outcome is Outcome.REFUSED_RUNTIME


@pytest.mark.parametrize(
    ("text", "outcome", "message"),
    [
        ("import sys; sys.exit('no such flag')", Outcome.FAILED_RUNNER, "status 1: no such flag"),
        ("print('Hello')", Outcome.FAILED_OUTPUT, "0 different results instead of one"),
        ("import os; os.kill(os.getpid(), 9)", Outcome.FAILED_MEMORY, "killed (137)"),
        ("import time; time.sleep(60)", Outcome.FAILED_TIMEOUT, "did not finish in 1 s"),
    ],
)
def test_a_tool_that_fails_is_a_typed_failure(
    tmp_path: Path, root: Path, text: str, outcome: Outcome, message: str
) -> None:
    device = LocalDevice()
    runner = BenchmarkRunner(device, _tool(tmp_path, text), root=str(root), grace_s=1)
    failure = failed(runner, score_job("scorer_d8", timeout_s=1))
    device.close()
    assert failure.outcome is outcome
    assert message in failure.message


def test_outputs_of_another_size_are_not_taken(tmp_path: Path, root: Path) -> None:
    text = FAKE.read_text().replace(".tobytes())", ".tobytes()[:-1])")
    runner = BenchmarkRunner(LocalDevice(), _tool(tmp_path, text), root=str(root))
    failure = failed(runner, score_job("scorer_d8"))
    assert failure.outcome is Outcome.FAILED_OUTPUT
    assert "39999 bytes instead of 40000" in failure.message


def test_names_of_a_model_do_not_reach_the_command_line() -> None:
    signature = Signature([("a,b:c=--graph=x", "float32", (1, 2))], [("y", "float32", (1,))])
    job = replace(score_job(), threads=2, steps=7, timeout_s=9)
    assert flags(job, signature, "/m.tflite") == [
        "--graph=/m.tflite",
        "--num_threads=2",
        "--num_runs=7",
        "--min_secs=0",
        "--max_secs=9",
        "--warmup_runs=1",
        "--warmup_min_secs=0",
        "--output_filepath=outputs.bin",
        "--input_layer=input0",
        "--input_layer_shape=1,2",
        "--input_layer_value_files=input0:input0",
    ]


def test_a_delegate_computes_and_each_operator_tells_its_time(tmp_path: Path, root: Path) -> None:
    extra = Extra("gpu", profile=True, warmup=3)
    tool = _tool(tmp_path, FAKE.read_text())
    runner = BenchmarkRunner(LocalDevice(), tool, extra, root=str(root))
    ran(runner, score_job("scorer_d8", cores=(0,)))
    assert runner.told is not None
    assert runner.told.delegate == "GPU, partially, in 2 parts"
    assert runner.operators == (Operator("FULLY_CONNECTED", "[out]:0", 250.0, 50.0, 1),)


def test_a_delegate_that_is_not_there_is_no_silent_cpu(tmp_path: Path, root: Path) -> None:
    tool = _tool(tmp_path, FAKE.read_text())
    runner = BenchmarkRunner(LocalDevice(), tool, Extra("nnapi"), root=str(root))
    failure = failed(runner, score_job("scorer_d8"))
    assert failure.outcome is Outcome.FAILED_RUNNER
    assert failure.message.startswith("benchmark_model did not take the delegate nnapi; ")


def test_a_tool_that_was_not_given_is_asked_for() -> None:
    with pytest.raises(UsageError, match=r"none given; give its path .*android_aarch64"):
        open_tool(None)


def test_a_missing_tool_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"no file {tmp_path}/tool; give its path"):
        open_tool(tmp_path / "tool")


def test_what_is_no_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tool").write_text("<html>404</html>")
    with pytest.raises(UsageError, match="tool is no program for Android"):
        open_tool(tmp_path / "tool")


def test_a_tool_with_another_checksum_is_refused(tmp_path: Path) -> None:
    tool = tmp_path / "tool"
    tool.write_bytes(b"\x7fELF...")
    assert open_tool(tool) == tool
    with pytest.raises(UsageError, match=f"has SHA-256 [0-9a-f]{{64}}, not {'0' * 64}; get it"):
        open_tool(tool, sha256_hex="0" * 64)
