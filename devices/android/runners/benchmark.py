"""The runner that uses LiteRT's own ``benchmark_model``, where a prebuilt one exists (arm64, arm).

It does inference alone: it knows no feedback, and takes the same inputs for every step. Its flags
and what they mean are those of the tool's source (tflite/tools/benchmark of LiteRT 2.2).
"""

import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np

from droidloop.devices.android.errors import ParseError
from droidloop.devices.android.parsers.benchmark import Benchmark, parse_benchmark
from droidloop.devices.android.parsers.op_profile import Operator, parse_op_profile
from droidloop.devices.fleets.model_job import Device, Failed, ModelJob, OnDevice, Ran, Result
from droidloop.platform.arrays import Array
from droidloop.platform.errors import UsageError
from droidloop.platform.jobs import Outcome

from .bundle import ROOT
from .bundle_build import sha256
from .device_jobs import GRACE_S, DeviceJobs, us_since
from .job_files import FILES, fate

WHERE = "LiteRT's nightly builds have it for arm64 and arm: android_aarch64_benchmark_model"
DELEGATES = ("gpu", "nnapi", "xnnpack")
_PROFILE_BYTES = 4 << 20  # some thousand operators, each in three tables
_MIB = 1 << 20  # the tool divides KiB by 1024, and calls the result MB
_TIMES = re.compile(r"([0-9]+)m([0-9.]+)s ([0-9]+)m([0-9.]+)s")


def open_tool(path: Path | None, *, sha256_hex: str | None = None) -> Path:
    """Return the ``benchmark_model`` that the user gave, if it is one.

    Args:
        path: of the binary; None where none was given.
        sha256_hex: what its SHA-256 must be; None accepts any.

    Raises:
        UsageError: there is none, or it is another file.
    """
    if path is None:
        raise UsageError(f"benchmark_model: none given; give its path ({WHERE})")
    if not path.is_file():
        raise UsageError(f"benchmark_model: no file {path}; give its path ({WHERE})")
    with path.open("rb") as file:
        if file.read(4) != b"\x7fELF":
            raise UsageError(f"benchmark_model: {path} is no program for Android; {WHERE}")
    if sha256_hex is not None and (found := sha256(path)) != sha256_hex.lower():
        raise UsageError(
            f"benchmark_model: {path} has SHA-256 {found}, not {sha256_hex}; get it again"
        )
    return path


@dataclass(frozen=True)
class Signature:
    """Inputs and outputs of a signature in the order of its graph: name, dtype, shape."""

    inputs: Sequence[tuple[str, str, tuple[int, ...]]]
    outputs: Sequence[tuple[str, str, tuple[int, ...]]]


@dataclass(frozen=True)
class Extra:
    """What the tool does beside.

    Attributes:
        delegate: one of ``DELEGATES`` that computes in the CPU's place.
        profile: whether it tells what each operator took; that costs some time itself.
        warmup: inferences before those that are measured, at least one.
    """

    delegate: str | None = None
    profile: bool = False
    warmup: int = 1


@final
class BenchmarkRunner:
    """Runs inference on *device* with the binary *tool*.

    Of ``Ran``, ``wall_us`` is as this host sees it and ``invoke_us`` is the mean of the steps;
    ``load_us`` and ``peak_rss_bytes`` are what the tool calls initialization and memory footprint.
    """

    def __init__(
        self,
        device: Device,
        tool: Path,
        extra: Extra = Extra(),
        *,
        root: str = ROOT,
        grace_s: float = GRACE_S,
    ) -> None:
        self.told: Benchmark | None = None  # what the tool said of the last job
        self.operators: tuple[Operator, ...] | None = None  # likewise, where it was to profile
        self._tool = tool
        self._extra = extra
        self._jobs = DeviceJobs(device, root, grace_s)

    def run(self, job: ModelJob) -> Result:
        """Do *job*; see ``Runner.run``.

        Raises:
            ValueError: it is not plain inference with a model of this host.
        """
        if job.feedback or job.by_step or job.every or isinstance(job.model, OnDevice):
            raise ValueError("benchmark_model does plain inference with a model file of this host")
        try:
            signature = signature_of(job.model, job.signature)
        except (ValueError, RuntimeError) as error:
            return Failed(Outcome.REFUSED_RUNTIME, f"model: {error}")
        if problem := _misfit(job, signature):
            return Failed(Outcome.FAILED_RUNNER, problem)
        model = job.model
        return self._jobs.within(lambda folder: self._run(job, model, signature, folder))

    def clean(self) -> None:
        """End all jobs; remove them, the tool and the models from the device.

        Raises:
            AndroidError: it does not answer.
        """
        self._jobs.clean()

    def _run(self, job: ModelJob, model: Path, signature: Signature, folder: str) -> Result:
        store = self._jobs.store
        begin, before = time.monotonic_ns(), store.sent_bytes
        tool, graph = store.put_file(self._tool), store.put_file(model)
        store.checked(["chmod", "755", tool])
        input_bytes = self._send_inputs(job, signature, folder)
        sent_us, begin_run = us_since(begin), time.monotonic_ns()
        pinned = ["taskset", f"{sum(1 << core for core in job.cores):x}"] if job.cores else []
        command = [*pinned, tool, *flags(job, signature, graph, self._extra)]
        answer = self._jobs.execute(folder, job, command)
        if isinstance(answer, Failed):
            return answer
        wall_us, log = us_since(begin_run), self._jobs.log(folder)
        if answer.exit_code != 0:
            return Failed(*fate(answer.exit_code, job, log))
        begin_fetch = time.monotonic_ns()
        try:
            if self._extra.profile:
                log = self._whole_log(folder)
                self.operators = parse_op_profile(log)
            self.told = told = parse_benchmark(log)
            if self._extra.delegate is not None and told.delegate is None:
                return Failed(
                    Outcome.FAILED_RUNNER,
                    f"benchmark_model did not take the delegate {self._extra.delegate}; "
                    "this build or this device has none",
                )
            cpu_us = self._cpu_us(folder)
            outputs = self._fetch(job, signature, folder)
        except (ParseError, ValueError) as error:
            return Failed(Outcome.FAILED_OUTPUT, f"benchmark_model's result: {error}")
        return Ran(
            outputs={name: outputs[name] for name in job.outputs},
            load_us=round(told.init_us),
            invoke_us=np.array([round(told.inference_avg_us)], np.int64),
            wall_us=wall_us,
            cpu_us=cpu_us,
            peak_rss_bytes=_memory_bytes(told),
            sent_bytes=store.sent_bytes - before + input_bytes,
            sent_us=sent_us,
            received_bytes=sum(value.nbytes for value in outputs.values()),
            received_us=us_since(begin_fetch),
        )

    def _whole_log(self, folder: str) -> str:
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            local = Path(scratch) / "log"
            self._jobs.device.pull(f"{folder}/log", local, limit_bytes=_PROFILE_BYTES)
            return local.read_text(errors="replace")

    def _send_inputs(self, job: ModelJob, signature: Signature, folder: str) -> int:
        total = 0
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            for number, (name, dtype, _) in enumerate(signature.inputs):
                local = Path(scratch) / f"input{number}"
                order = np.dtype(dtype).newbyteorder("<")
                total += local.write_bytes(np.ascontiguousarray(job.inputs[name], order).tobytes())
                self._jobs.device.push(local, f"{folder}/{local.name}")
        return total

    def _cpu_us(self, folder: str) -> int:
        """Return the CPU time of the shell's children: user and system, loading included."""
        lines = self._jobs.store.checked(["cat", f"{folder}/times"]).splitlines()
        match = _TIMES.fullmatch(lines[1].strip()) if len(lines) == 2 else None
        if match is None:
            raise ValueError("the shell's times have another form")
        minutes, seconds = int(match[1]) + int(match[3]), float(match[2]) + float(match[4])
        return round((60 * minutes + seconds) * 1e6)

    def _fetch(self, job: ModelJob, signature: Signature, folder: str) -> dict[str, Array]:
        """Return all outputs: the tool writes them one after the other, without names."""
        size = sum(_bytes(dtype, shape) for _, dtype, shape in signature.outputs)
        with tempfile.TemporaryDirectory(prefix="droidloop-job-") as scratch:
            local = Path(scratch) / FILES[1]
            self._jobs.device.pull(f"{folder}/{FILES[1]}", local, limit_bytes=size)
            data = local.read_bytes()
        if len(data) != size:
            raise ValueError(f"its outputs have {len(data)} bytes instead of {size}")
        outputs, offset = {}, 0
        for name, dtype, shape in signature.outputs:
            count = int(np.prod(shape))
            values = np.frombuffer(data, np.dtype(dtype).newbyteorder("<"), count, offset)
            outputs[name] = values.reshape(shape).astype(dtype)
            offset += _bytes(dtype, shape)
        return outputs


def flags(job: ModelJob, signature: Signature, graph: str, extra: Extra = Extra()) -> list[str]:
    """Return the tool's arguments for *job* and what it does beside.

    It takes inputs by their place in the graph and only warns of other names, so that those of a
    model, which may hold its separators, never stand here.
    """
    names = [f"input{number}" for number in range(len(signature.inputs))]
    arguments = {
        "graph": graph,
        "num_threads": str(job.threads),
        "num_runs": str(job.steps),
        "min_secs": "0",
        "max_secs": str(job.timeout_s),
        "warmup_runs": str(max(1, extra.warmup)),
        "warmup_min_secs": "0",
        "output_filepath": FILES[1],
    }
    if names:
        arguments["input_layer"] = ",".join(names)
        arguments["input_layer_shape"] = ":".join(
            ",".join(map(str, shape)) for _, _, shape in signature.inputs
        )
        arguments["input_layer_value_files"] = ",".join(f"{name}:{name}" for name in names)
    if job.signature is not None:
        arguments["signature_to_run_for"] = job.signature
    if extra.delegate is not None:
        arguments[f"use_{extra.delegate}"] = "true"
    if extra.profile:
        arguments["enable_op_profiling"] = "true"
    return [f"--{name}={value}" for name, value in arguments.items()]


def signature_of(model: Path, key: str | None) -> Signature:
    """Return the signature *key* of *model*, its first where *key* is None.

    Raises:
        ValueError: this host's LiteRT cannot read the model, or it has no such signature.
    """
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model))
    keys = list(interpreter.get_signature_list())
    if not keys or (key is not None and key not in keys):
        raise ValueError(f"{key or 'signature'}: is no signature of this model")
    runner = interpreter.get_signature_runner(key or keys[0])
    return Signature(
        _in_order(runner.get_input_details(), interpreter.get_input_details()),
        _in_order(runner.get_output_details(), interpreter.get_output_details()),
    )


def _in_order(
    named: Mapping[str, Mapping[str, Any]], graph: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str, tuple[int, ...]]]:
    place = {detail["index"]: number for number, detail in enumerate(graph)}
    ordered = sorted(named.items(), key=lambda item: place[item[1]["index"]])
    return [
        (name, str(np.dtype(detail["dtype"])), tuple(int(size) for size in detail["shape"]))
        for name, detail in ordered
    ]


def _misfit(job: ModelJob, signature: Signature) -> str | None:
    """Return what of *job* does not fit *signature*, None if all of it does."""
    wants = {name: (dtype, shape) for name, dtype, shape in signature.inputs}
    for name, value in job.inputs.items():
        if name not in wants:
            return f"{name}: is no tensor of this signature"
        if (str(value.dtype), value.shape) != wants[name]:
            return f"{name}: has another element type or shape in the model"
    gives = {name: _bytes(dtype, shape) for name, dtype, shape in signature.outputs}
    missing = [
        f"{name}: is an input that the job lacks" for name in wants if name not in job.inputs
    ]
    unknown = [
        f"{name}: is no tensor of this signature" for name in job.outputs if name not in gives
    ]
    return next(iter(missing + unknown), None)


def _bytes(dtype: str, shape: tuple[int, ...]) -> int:
    return int(np.prod(shape)) * np.dtype(dtype).itemsize


def _memory_bytes(told: Benchmark) -> int:
    most = told.peak_mb if told.peak_mb is not None else told.memory_overall_mb
    return 0 if most is None else max(0, round(most * _MIB))
