"""The runner's program for a machine with Python and LiteRT; ``device_job.c`` is its twin.

    python host_job.py JOB.bin OUTPUTS.bin RESULT.json

It stands alone: it imports nothing of droidloop, so that it also runs where droidloop is not.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

EXIT_MEMORY = 3


class RefusedError(Exception):
    """The job ends with a status other than done."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def main(job: str, outputs: str, result: str) -> int:
    """Do the job in the first file; return the exit status."""
    begin = time.monotonic_ns()
    answer: dict[str, Any] = {"status": "done", "message": ""}
    try:
        data = np.memmap(job, np.uint8, "r")
        end = 8 + int(data[:8].view("<u8")[0])
        text = json.loads(bytes(data[8:end]))
        signal.alarm(int(text["timeout_s"]))
        _keep_to(text["cores"])
        answer |= _run(text, data[end:], Path(outputs), begin)
    except RefusedError as refused:
        answer |= {"status": refused.status, "message": str(refused)}
    except MemoryError:
        return EXIT_MEMORY
    answer["peak_rss_bytes"] = _peak_rss_bytes()
    answer["cpu_us"] = time.process_time_ns() // 1000
    answer["wall_us"] = _us_since(begin)
    part = Path(f"{result}.part")
    part.write_text(json.dumps(answer))
    part.rename(result)
    return 0


def _keep_to(cores: list[int]) -> None:
    try:
        if cores:
            os.sched_setaffinity(0, cores)
    except OSError as error:
        raise RefusedError("bad_job", "cores: are not there") from error


def _run(job: dict[str, Any], data: Any, outputs: Path, begin: int) -> dict[str, Any]:
    runner = _load(job)
    values = _inputs(job, data)
    _check(job, values, runner)
    described, total = _describe(job, runner)
    load_us, invoke_us = _us_since(begin), []
    fed = {entry["input"]: entry["output"] for entry in job["feedback"]}
    last: dict[str, Any] = {}
    with outputs.open("w+b") as file:
        file.truncate(total)
        for step in range(job["steps"]):
            now = {
                name: last[fed[name]] if step and name in fed else slices[step % len(slices)]
                for name, slices in values.items()
            }
            start = time.monotonic_ns()
            last = _invoke(runner, now)
            invoke_us.append(_us_since(start))
            for entry in described:
                if entry["count"] > 1 or step == job["steps"] - 1:
                    data = last[entry["name"]].tobytes()
                    file.seek(entry["offset"] + (step if entry["count"] > 1 else 0) * len(data))
                    file.write(data)
    return {"outputs": described, "load_us": load_us, "invoke_us": invoke_us}


def _load(job: dict[str, Any]) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError:  # its former name, which old apps carry
        from tflite_runtime.interpreter import Interpreter

    try:
        interpreter = Interpreter(job["model"], num_threads=job["threads"])
        names = list(interpreter.get_signature_list())
        if job["signature"] is not None and job["signature"] not in names:
            raise RefusedError("bad_job", f"{job['signature']}: is no signature of this model")
        return interpreter.get_signature_runner(job["signature"] or names[0])
    except (ValueError, RuntimeError) as error:
        raise RefusedError("bad_model", f"model: {error}") from error


def _inputs(job: dict[str, Any], data: Any) -> dict[str, Any]:
    """Return for each input its slices, shape (count, ...)."""
    values = {}
    for entry in job["inputs"]:
        shape = (entry["count"], *entry["shape"])
        size = int(np.prod(shape)) * np.dtype(entry["dtype"]).itemsize
        raw = bytes(data[entry["offset"] : entry["offset"] + size])
        if len(raw) != size:
            raise RefusedError("bad_job", f"{entry['name']}: reaches beyond the end of the job")
        values[entry["name"]] = np.frombuffer(raw, entry["dtype"]).reshape(shape)
    return values


def _check(job: dict[str, Any], values: dict[str, Any], runner: Any) -> None:
    wants, gives = runner.get_input_details(), runner.get_output_details()
    for name, slices in values.items():
        if name not in wants:
            raise RefusedError("bad_job", f"{name}: is no tensor of this signature")
        if slices.dtype != wants[name]["dtype"]:
            raise RefusedError("bad_job", f"{name}: has another element type in the model")
        if tuple(slices.shape[1:]) != tuple(wants[name]["shape"]):
            raise RefusedError("bad_job", f"{name}: has another shape in the model")
    for name in wants:
        if name not in values:
            raise RefusedError("bad_job", f"{name}: is an input that the job lacks")
    named = [entry["output"] for entry in job["feedback"]] + [e["name"] for e in job["outputs"]]
    for name in named:
        if name not in gives:
            raise RefusedError("bad_job", f"{name}: is no tensor of this signature")
    for entry in job["feedback"]:
        into, out = wants[entry["input"]], gives[entry["output"]]
        same = into["dtype"] == out["dtype"] and tuple(into["shape"]) == tuple(out["shape"])
        if not same:
            raise RefusedError("bad_job", f"{entry['input']}: cannot take what is fed back to it")


def _describe(job: dict[str, Any], runner: Any) -> tuple[list[dict[str, Any]], int]:
    """Return where each output lies in the output file, and the file's bytes."""
    details, described, offset = runner.get_output_details(), [], 0
    for entry in job["outputs"]:
        detail = details[entry["name"]]
        count = job["steps"] if entry["every"] else 1
        shape, dtype = [int(size) for size in detail["shape"]], np.dtype(detail["dtype"])
        described.append(
            {
                "name": entry["name"],
                "dtype": str(dtype),
                "shape": shape,
                "offset": offset,
                "count": count,
            }
        )
        offset += int(np.prod(shape)) * dtype.itemsize * count
        if offset > job["max_output_bytes"]:
            message = f"{entry['name']}: makes the outputs larger than max_output_bytes"
            raise RefusedError("bad_output", message)
    return described, offset


def _invoke(runner: Any, values: dict[str, Any]) -> dict[str, Any]:
    try:
        return {name: np.array(value) for name, value in runner(**values).items()}
    except (ValueError, RuntimeError) as error:
        if "failed to reshape runtime" in str(error):
            # The shapes are those of the model; all that it can lack is memory for them.
            raise MemoryError from error
        raise RefusedError("failed", f"invoke: {error}") from error


def _peak_rss_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("the kernel tells no VmHWM")


def _us_since(begin_ns: int) -> int:
    return (time.monotonic_ns() - begin_ns) // 1000


if __name__ == "__main__":
    os._exit(main(*sys.argv[1:]))
