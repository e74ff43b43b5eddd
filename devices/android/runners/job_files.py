"""A runner's job as files, and its result back from them: the format that ``runner`` describes."""

import json
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.platform.arrays import Array
from droidloop.platform.jobs import Outcome

DTYPES = (
    *("float16", "float32", "float64", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "bool"),
)
MAX_RESULT_BYTES = 2 << 20  # a hundred thousand times of some digits, and their commas
ALIGNMENT = 64
EXIT_MEMORY = 3  # what a runner ends with when an allocation fails
_OUTCOMES = {
    "bad_model": Outcome.REFUSED_RUNTIME,
    "bad_job": Outcome.FAILED_RUNNER,
    "bad_output": Outcome.FAILED_OUTPUT,
    "failed": Outcome.FAILED_RUNNER,
    "storage_full": Outcome.FAILED_STORAGE,
}

# Runs a program with limits and a note of its pid, keeps what it prints, prints its result. The
# text is constant; everything that varies comes as arguments and is never parsed by the shell.
RUN_SCRIPT = """cd "$1" || exit 125
shift
sh -c 'ulimit -v "$1"; ulimit -f "$2"; shift 2; echo $$ >pid; exec "$@"' sh "$@" >log 2>&1
code=$?
times >times
[ ! -f result.json ] || cat result.json
exit $code"""


FILES = ("job.bin", "outputs.bin", "result.json")


def script(folder: str, job: ModelJob, command: Sequence[str]) -> list[str]:
    """Return the command line that runs *command* in *folder* within the limits of *job*."""
    memory = "unlimited" if job.memory_bytes is None else str(job.memory_bytes // 1024)
    file_blocks = str((job.max_output_bytes + MAX_RESULT_BYTES) // 512 + 1)
    return ["sh", "-c", RUN_SCRIPT, "sh", folder, memory, file_blocks, *command]


def write_job(job: ModelJob, path: Path, model: str) -> int:
    """Write *job* to the file *path*; return its bytes.

    Args:
        job: what to write.
        path: of the new file.
        model: path of the model as the runner will see it.

    Raises:
        ValueError: an input has an element type that a job cannot carry.
    """
    described, tensors, size = [], [], 0
    for name, array in job.inputs.items():
        sliced = name in job.by_step
        data = _little_endian(name, array)
        described.append(
            {
                "name": name,
                "dtype": array.dtype.name,
                "shape": list(array.shape[1:] if sliced else array.shape),
                "offset": size,
                "count": len(array) if sliced else 1,
            }
        )
        tensors.append(data + b"\0" * (-len(data) % ALIGNMENT))
        size += len(tensors[-1])
    text = json.dumps(_header(job, model, described)).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(tensors)
    return 8 + len(text) + size


def _header(job: ModelJob, model: str, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "schema": 1,
        "model": model,
        "signature": job.signature,
        "steps": job.steps,
        "threads": job.threads,
        "cores": list(job.cores),
        "timeout_s": job.timeout_s,
        "max_output_bytes": job.max_output_bytes,
        "inputs": inputs,
        "feedback": [{"output": out, "input": into} for out, into in job.feedback.items()],
        "outputs": [{"name": name, "every": name in job.every} for name in job.outputs],
    }


def _little_endian(name: str, array: Array) -> bytes:
    if array.dtype.name not in DTYPES:
        raise ValueError(f"input {name!r} is {array.dtype}: a job carries {', '.join(DTYPES)}")
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<")).tobytes()


def conclude(
    job: ModelJob, exit_code: int, result: str, log: str, outputs: Callable[[int], bytes]
) -> Result:
    """Return what came of *job* from how its runner ended.

    Args:
        job: what it was to do.
        exit_code: of the runner; 128 + n where signal n ended it.
        result: the text of ``result.json``, empty where there is none.
        log: the end of what the runner printed.
        outputs: fetches ``outputs.bin``, which must have the number of bytes that it is given.
    """
    if exit_code != 0:
        return Failed(*fate(exit_code, job, log))
    try:
        return _read(job, json.loads(result), outputs)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        return Failed(Outcome.FAILED_OUTPUT, f"the runner's result is not understood: {error}")


def fate(exit_code: int, job: ModelJob, log: str) -> tuple[Outcome, str]:
    """Return outcome and message for a runner that ended without a result."""
    said = re.sub(r"[^ -~]+", " ", log)[-200:].strip()
    match exit_code:
        case 137:
            return Outcome.FAILED_MEMORY, "the runner was killed (137): out of memory"
        case _ if exit_code == EXIT_MEMORY or "bad_alloc" in log:
            limit = "" if job.memory_bytes is None else f" within {job.memory_bytes} bytes"
            return Outcome.FAILED_MEMORY, f"the runner had no memory left{limit}"
        case 142:
            return Outcome.FAILED_TIMEOUT, f"the runner did not finish in {job.timeout_s} s"
        case 153:
            return Outcome.FAILED_OUTPUT, "the runner wrote more than max_output_bytes"
    how = f"signal {exit_code - 128}" if 128 < exit_code < 192 else f"status {exit_code}"
    return Outcome.FAILED_RUNNER, f"the runner ended with {how}: {said or 'it said nothing'}"


def _read(job: ModelJob, result: Any, outputs: Callable[[int], bytes]) -> Result:
    status = result["status"]
    if status != "done":
        return Failed(_OUTCOMES[status], str(result["message"])[:300])
    places = {str(entry["name"]): _place(job, entry) for entry in result["outputs"]}
    if set(places) != set(job.outputs):
        raise ValueError("it has other outputs than the job")
    end = max((offset + count for _, _, offset, count in places.values()), default=0)
    if end > job.max_output_bytes:
        raise ValueError("its outputs are larger than max_output_bytes")
    data = outputs(end)
    if len(data) != end:
        raise ValueError(f"outputs.bin has {len(data)} bytes instead of {end}")
    invoke_us = [_count(value) for value in result["invoke_us"]]
    if len(invoke_us) != job.steps:
        raise ValueError(f"it made {len(invoke_us)} steps instead of {job.steps}")
    return Ran(
        outputs={
            name: np.frombuffer(data, dtype, offset=offset, count=size // dtype.itemsize)
            .reshape(shape)
            .astype(dtype.newbyteorder("="))
            for name, (dtype, shape, offset, size) in places.items()
        },
        load_us=_count(result["load_us"]),
        invoke_us=np.asarray(invoke_us, np.int64),
        wall_us=_count(result["wall_us"]),
        cpu_us=_count(result["cpu_us"]),
        peak_rss_bytes=_count(result["peak_rss_bytes"]),
        received_bytes=end,
    )


def _place(job: ModelJob, entry: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """Return dtype, shape, offset and bytes of an output that a result describes."""
    name, every = str(entry["name"]), entry["name"] in job.every
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"output {name!r} has no known element type")
    if _count(entry["count"]) != (job.steps if every else 1):
        raise ValueError(f"output {name!r} is there {entry['count']} times")
    dtype = np.dtype(entry["dtype"]).newbyteorder("<")
    shape = (*((job.steps,) if every else ()), *(_count(size) for size in entry["shape"]))
    return dtype, shape, _count(entry["offset"]), math.prod(shape) * dtype.itemsize


def _count(value: Any) -> int:
    """Return *value* if it is a whole number that a count, a size or a time can be."""
    whole = int(value)
    if isinstance(value, bool) or whole != value or not 0 <= whole < 1 << 53:
        raise ValueError(f"{value!r} is no count")
    return whole
