"""Runs ``.tflite`` models with LiteRT, one thread and one user at a time, as a phone does.

The only module that imports ai_edge_litert. As a program (``python -m`` with its name) it is the
fresh process in which ``measure`` measures a model.
"""

import contextlib
import ctypes
import gc
import importlib.metadata
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError

from .child import run_child
from .manifest import runtime_code

if TYPE_CHECKING:  # measured processes stay small
    from .package import Package

Floats = NDArray[np.float32]

WARM_UPS = 5
_STDERR = threading.Lock()
_NOISE = (b"INFO: ", b"I0000 ", b"WARNING: All log messages before absl::InitializeLog()")


class Scores(NamedTuple):
    """Scores of users, shape (m, n_items), and the time of each invocation, shape (m,)."""

    values: Floats
    invoke_us: NDArray[np.float64]


@dataclass(frozen=True)
class Measurement:
    """What a model takes in a fresh process.

    Attributes:
        load_us: time to open the file and prepare it.
        invoke_p50_us: median time of an invocation (LiteRT alone, no copies).
        invoke_p95_us: 95th percentile of it.
        heap_bytes: memory allocated for it after loading and running; repeatable, but for a rare
            KiB or two of malloc's own.
        peak_bytes: growth of the resident set's peak over all of it: heap, pages of the model
            file, and some 3 MiB of LiteRT's own code and tables.
        runs: how many invocations were timed.
    """

    load_us: int
    invoke_p50_us: float
    invoke_p95_us: float
    heap_bytes: int
    peak_bytes: int
    runs: int


def installed_runtime() -> int:
    """Return the ``runtime_code`` of the LiteRT that runs here."""
    return runtime_code("ai-edge-litert", importlib.metadata.version("ai-edge-litert"))


class LiteRT:
    """A model with one signature, loaded and prepared on one thread.

    Attributes:
        load_us: how long that took.
        signature: its name.
        inputs: tensor number of each input by name, likewise ``outputs``.
        input_details: what LiteRT says of each, likewise ``output_details``.

    Raises:
        PackageError: LiteRT refuses the model.
    """

    def __init__(self, model: bytes | Path) -> None:
        from ai_edge_litert.interpreter import Interpreter

        source = (
            {"model_content": model} if isinstance(model, bytes) else {"model_path": str(model)}
        )
        begin = time.perf_counter_ns()
        with _quiet():
            try:
                self._interpreter = Interpreter(num_threads=1, **source)
                self._interpreter.allocate_tensors()
                names = list(self._interpreter.get_signature_list())
                if len(names) != 1:
                    raise ValueError(f"it has {len(names)} signatures where 1 is run")
                runner = self._interpreter.get_signature_runner(names[0])
            except (ValueError, RuntimeError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise PackageError(
                    f"LiteRT refuses the model: {reason}; export it again"
                ) from error
        self.load_us = (time.perf_counter_ns() - begin) // 1000
        self.signature: str = names[0]
        self.input_details: dict[str, Any] = runner.get_input_details()
        self.output_details: dict[str, Any] = runner.get_output_details()
        self.inputs: dict[str, int] = {n: d["index"] for n, d in self.input_details.items()}
        self.outputs: dict[str, int] = {n: d["index"] for n, d in self.output_details.items()}

    def invoke(self, inputs: Mapping[str, Array]) -> int:
        """Run the model once on *inputs* by name; return the nanoseconds that it took.

        Raises:
            ValueError: an input has another shape or type than the model's.
        """
        for name, index in self.inputs.items():
            self._interpreter.set_tensor(index, inputs[name])
        begin = time.perf_counter_ns()
        self._interpreter.invoke()
        return time.perf_counter_ns() - begin

    def output(self, name: str) -> Array:
        """Return a copy of an output of the last invocation."""
        values: Array = self._interpreter.get_tensor(self.outputs[name])
        return values

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs for *inputs* (count, *shape*), one invocation each."""
        rows: dict[str, list[Array]] = {name: [] for name in self.outputs}
        for k in range(len(next(iter(inputs.values())))):
            self.invoke({name: values[k] for name, values in inputs.items()})
            for name, outputs in rows.items():
                outputs.append(self.output(name))
        return {name: np.stack(outputs) for name, outputs in rows.items()}

    def scores(self, users: Array) -> Scores:
        """Score all items for each of *users*, shape (m, dim), with one invocation each.

        Raises:
            ValueError: the model has not one input (1, dim) and one output.
        """
        ((name, detail),) = self.input_details.items()
        ((output, scored),) = self.output_details.items()
        if users.shape[1:] != tuple(detail["shape"][1:]):
            raise ValueError(f"user vectors are {users.shape}, the model takes {detail['shape']}")
        values = np.empty((len(users), int(np.prod(scored["shape"]))), np.float32)
        took_ns = np.empty(len(users), np.int64)
        rows = np.ascontiguousarray(users, np.float32)
        for k in range(len(rows)):
            took_ns[k] = self.invoke({name: rows[k : k + 1]})
            values[k] = self.output(output)[0]
        return Scores(values, took_ns / 1000.0)

    @property
    def quantized(self) -> bool:
        """Whether a tensor is of whole numbers with a scale, or of half precision."""
        return any(
            len(one["quantization_parameters"]["scales"]) or one["dtype"] is np.float16
            for one in self._interpreter.get_tensor_details()
        )

    def example(self) -> dict[str, Array]:
        """Return inputs that fit the model: a ramp from -1 to 1 (zeros for integers)."""
        ramps = {}
        for name, detail in self.input_details.items():
            size = int(np.prod(detail["shape"]))
            ramps[name] = np.linspace(-1, 1, size).reshape(detail["shape"]).astype(detail["dtype"])
        return ramps


def check(package: "Package", variant: str) -> None:
    """Let *variant* answer the golden inputs on this very runtime.

    Raises:
        PackageError: the runtime is too old for it, or answers wrongly; keep the old version.
    """
    package.require_runtime(variant, installed_runtime())
    reason = package.judge(variant, LiteRT(package.model(variant)).run(package.golden_inputs()))
    if reason is not None:
        raise PackageError(f"{package}: {variant} {reason}; use another variant")


def measure(model: bytes | Path, *, runs: int = 50, timeout_s: float = 300) -> Measurement:
    """Load and run *model* in a fresh process, and say what it took.

    Raises:
        PackageError: LiteRT refuses the model.
    """
    if isinstance(model, bytes):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.tflite")
            path.write_bytes(model)
            return measure(path, runs=runs, timeout_s=timeout_s)
    args = (str(model), str(runs))
    text = run_child(__name__, *args, what="measuring the model", timeout_s=timeout_s)
    return Measurement(**json.loads(text.splitlines()[-1]))


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep LiteRT's greetings from the standard error; what else is written passes through."""
    with _STDERR, tempfile.TemporaryFile() as said:
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            said.seek(0)
            for line in said:
                if not line.startswith(_NOISE):
                    os.write(2, line)


class _MallInfo(ctypes.Structure):
    """glibc's ``struct mallinfo2``, see mallinfo(3)."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def _heap_bytes() -> int:
    """Return what malloc has given out in this process, mapped blocks included."""
    mallinfo2 = ctypes.CDLL(None).mallinfo2  # glibc 2.33
    mallinfo2.restype = _MallInfo
    info = mallinfo2()
    return int(info.uordblks + info.hblkhd)


def _peak_bytes() -> int:
    """Return the highest resident set of this process since the last reset."""
    with open("/proc/self/status") as status:
        (line,) = (line for line in status if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _measure_here(path: Path, runs: int) -> Measurement:
    import ai_edge_litert.interpreter  # noqa: F401  the import is not the model's

    took_ns = np.zeros(WARM_UPS + runs, np.int64)
    with _quiet():  # what our own code touches first is not the model's either
        np.linspace(-1, 1, 8).reshape(2, 4).astype(np.float32)
    _heap_bytes()
    gc.collect()
    gc.disable()
    Path("/proc/self/clear_refs").write_text("5")  # reset VmHWM, see proc(5)
    heap, resident = _heap_bytes(), _peak_bytes()
    model = LiteRT(path)
    inputs = model.example()
    for k in range(len(took_ns)):
        took_ns[k] = model.invoke(inputs)
    heap, peak = _heap_bytes() - heap, _peak_bytes() - resident
    taken_us = took_ns[WARM_UPS:] / 1000.0
    return Measurement(
        load_us=model.load_us,
        invoke_p50_us=round(float(np.median(taken_us)), 3),
        invoke_p95_us=round(float(np.quantile(taken_us, 0.95)), 3),
        heap_bytes=heap,
        peak_bytes=peak,
        runs=runs,
    )


def main(path: str, runs: str) -> None:
    """Print the measurement of the model at *path* as one line of JSON."""
    print(json.dumps(_measure_here(Path(path), int(runs)).__dict__))


if __name__ == "__main__":
    main(*sys.argv[1:])
