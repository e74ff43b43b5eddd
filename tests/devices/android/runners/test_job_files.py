"""A runner's files: nothing that a device answers is believed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.android.runners.job_files import conclude, write_job
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.platform.jobs import Outcome

JOB = ModelJob(
    Path("m.tflite"),
    {"x": np.arange(3, dtype=np.int16)},
    ["y", "z"],
    every=frozenset({"z"}),
    steps=2,
    max_output_bytes=100,
)
GOOD: dict[str, Any] = {
    "status": "done",
    "message": "",
    "load_us": 5,
    "invoke_us": [1, 2],
    "wall_us": 9,
    "cpu_us": 8,
    "peak_rss_bytes": 4096,
    "outputs": [
        {"name": "y", "dtype": "float32", "shape": [2], "offset": 0, "count": 1},
        {"name": "z", "dtype": "uint8", "shape": [1], "offset": 8, "count": 2},
    ],
}
DATA = np.array([1.5, -2], np.float32).tobytes() + bytes([7, 9])


def end(result: Any, *, exit_code: int = 0, log: str = "", data: bytes = DATA) -> Result:
    text = result if isinstance(result, str) else json.dumps(result)
    return conclude(JOB, exit_code, text, log, lambda size: data)


def test_a_good_result_is_read_to_the_bit() -> None:
    result = end(GOOD)
    assert isinstance(result, Ran)
    np.testing.assert_array_equal(result.outputs["y"], np.array([1.5, -2], np.float32))
    np.testing.assert_array_equal(result.outputs["z"], np.array([[7], [9]], np.uint8))
    assert result.invoke_us.tolist() == [1, 2]


def change(**values: Any) -> Callable[[], dict[str, Any]]:
    return lambda: GOOD | values


def change_output(**values: Any) -> Callable[[], dict[str, Any]]:
    return lambda: GOOD | {"outputs": [GOOD["outputs"][0] | values, GOOD["outputs"][1]]}


@pytest.mark.parametrize(
    "result",
    [
        lambda: "",
        lambda: "[" * 100_000,
        lambda: [],
        lambda: {},
        change(status="splendid"),
        change(status=["done"]),
        change(outputs=[]),
        change(outputs=None),
        change(invoke_us=[1]),
        change(invoke_us=[1, -2]),
        change(invoke_us=[1, 0.5]),
        change(load_us=True),
        change(load_us=float("nan")),
        change(load_us=float("inf")),
        change(cpu_us="8"),
        change(peak_rss_bytes=1 << 60),
        change_output(name="x"),
        change_output(name="z"),
        change_output(dtype="object"),
        change_output(dtype="float64"),
        change_output(shape=[-2]),
        change_output(shape=[1 << 40]),
        change_output(shape=2),
        change_output(offset=-1),
        change_output(offset=95),
        change_output(count=2),
    ],
)
def test_a_result_that_is_not_as_agreed_is_a_failed_output(
    result: Callable[[], Any],
) -> None:
    failure = end(result())
    assert isinstance(failure, Failed)
    assert failure.outcome is Outcome.FAILED_OUTPUT


def test_outputs_that_are_cut_off_are_a_failed_output() -> None:
    failure = end(GOOD, data=DATA[:-1])
    assert failure == Failed(
        Outcome.FAILED_OUTPUT,
        "the runner's result is not understood: outputs.bin has 9 bytes instead of 10",
    )


@given(st.text())
def test_no_answer_makes_it_raise(text: str) -> None:
    assert isinstance(end(text), Failed)


@pytest.mark.parametrize(
    ("exit_code", "outcome", "words"),
    [
        (137, Outcome.FAILED_MEMORY, "out of memory"),
        (3, Outcome.FAILED_MEMORY, "no memory left"),
        (142, Outcome.FAILED_TIMEOUT, "did not finish in 120 s"),
        (153, Outcome.FAILED_OUTPUT, "more than max_output_bytes"),
        (139, Outcome.FAILED_RUNNER, "ended with signal 11: said this"),
        (127, Outcome.FAILED_RUNNER, "ended with status 127: said this"),
    ],
)
def test_the_way_a_runner_ends_has_a_meaning(exit_code: int, outcome: Outcome, words: str) -> None:
    failure = end("", exit_code=exit_code, log="\x1b\nsaid\tthis\n")
    assert isinstance(failure, Failed)
    assert failure.outcome is outcome
    assert words in failure.message
    assert failure.message.isprintable()


def test_an_aborted_allocation_ran_out_of_memory() -> None:
    failure = end("", exit_code=134, log="terminate called: std::bad_alloc")
    assert isinstance(failure, Failed)
    assert failure.outcome is Outcome.FAILED_MEMORY


def test_the_file_of_a_job_is_a_header_and_aligned_tensors(tmp_path: Path) -> None:
    job = ModelJob(
        Path("m.tflite"),
        {"a": np.arange(3, dtype=">i2"), "b": np.ones((4, 2), np.float32)},
        ["y"],
        by_step=frozenset({"b"}),
        steps=8,
    )
    size = write_job(job, tmp_path / "job.bin", "/there/m.tflite")
    data = (tmp_path / "job.bin").read_bytes()
    assert len(data) == size
    start = 8 + int.from_bytes(data[:8], "little")
    assert start % 64 == 0
    header = json.loads(data[8:start])
    assert header["model"] == "/there/m.tflite"
    assert [(i["name"], i["shape"], i["count"], i["offset"]) for i in header["inputs"]] == [
        ("a", [3], 1, 0),
        ("b", [2], 4, 64),
    ]
    assert data[start : start + 6] == np.arange(3, dtype="<i2").tobytes()
    assert data[start + 64 :] == np.ones(8, np.float32).tobytes() + bytes(32)


def test_what_a_job_cannot_carry_is_named(tmp_path: Path) -> None:
    job = ModelJob(Path("m.tflite"), {"x": np.array(["a"])}, ["y"])
    with pytest.raises(ValueError, match="input 'x' is <U1: a job carries float16"):
        write_job(job, tmp_path / "job.bin", "m.tflite")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps is 0, not within 1 to 100000"),
        ({"threads": 65}, "threads is 65"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"by_step": frozenset({"w"})}, r"by_step names \['w'\]"),
        ({"every": frozenset({"w"})}, r"every names \['w'\]"),
        ({"feedback": {"y": "w"}}, r"feedback names \['w'\]"),
        ({"inputs": {"x": np.array(1.0)}, "by_step": frozenset({"x"})}, "has no axis of 1 or more"),
    ],
)
def test_a_job_that_makes_no_sense_is_misuse(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "model": Path("m"),
        "inputs": {"x": np.zeros(1)},
        "outputs": ["y"],
    } | changes
    with pytest.raises(ValueError, match=message):
        ModelJob(**arguments)
