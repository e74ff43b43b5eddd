"""Running a model on a device: one contract, and what every runner behind it gives.

A job is a ``.tflite`` model, its inputs, and a number of steps in one process. Inference is a job
without feedback; training is a step model whose outputs are fed back as inputs K times. Shapes are
fixed: a batch is padded and brings a mask, and item rows travel as the rows that the phone touches
and, for each example, the slot of its row among them.

One file travels there: ``job.bin`` holds the length of its header (8 bytes, little-endian), the
header, and the raw little-endian tensors. The header is JSON and names the model, its signature,
the inputs (name, dtype, shape, offset among the tensors, and how many slices follow one another
there), the outputs, the feedback and the limits. What comes back is ``result.json`` with a status,
times in us, peak memory in bytes and the place of each output in ``outputs.bin``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.jobs import Outcome

MAX_STEPS = 100_000
MAX_TENSORS = 64
MAX_CORES = 1024  # of a set of the kernel's interface
MAX_TIMEOUT_S = 86_400


@dataclass(frozen=True)
class OnDevice:
    """A file that lies on the device already, by its path there."""

    path: str


@dataclass(frozen=True)
class ModelJob:
    """What a runner is to do.

    Attributes:
        model: the ``.tflite`` file, here or already on the device.
        inputs: for each input of the signature its value; one in ``by_step`` has a leading axis
            of slices, and step k takes slice k modulo their number.
        outputs: names of the outputs wanted, as they are after the last step.
        every: those of ``outputs`` that are wanted of every step, with a leading axis of steps.
        by_step: names of the inputs that come in slices.
        feedback: output to input: what a step returns is what the next one starts from.
        signature: of the model; None takes its first.
        steps: how often the model runs in the one process.
        threads: of the runtime.
        cores: numbers of the processor's cores that it keeps to; none: all.
        timeout_s: a runner that has not finished then is ended.
        memory_bytes: limit of the runner's address space; None leaves it to the device.
        max_output_bytes: limit of all outputs together.
    """

    model: Path | OnDevice
    inputs: Mapping[str, Array]
    outputs: Sequence[str]
    every: frozenset[str] = frozenset()
    by_step: frozenset[str] = frozenset()
    feedback: Mapping[str, str] = field(default_factory=dict)
    signature: str | None = None
    steps: int = 1
    threads: int = 1
    cores: Sequence[int] = ()
    timeout_s: int = 120
    memory_bytes: int | None = None
    max_output_bytes: int = 1 << 26

    def __post_init__(self) -> None:
        _within("steps", self.steps, 1, MAX_STEPS)
        _within("threads", self.threads, 1, 64)
        for core in self.cores:
            _within("a core", core, 0, MAX_CORES - 1)
        _within("timeout_s", self.timeout_s, 1, MAX_TIMEOUT_S)
        _within("max_output_bytes", self.max_output_bytes, 0, 1 << 40)
        _within("number of inputs", len(self.inputs), 0, MAX_TENSORS)
        _among("by_step", self.by_step, self.inputs)
        _among("feedback", self.feedback.values(), self.inputs)
        _among("every", self.every, self.outputs)
        for name in self.by_step:
            if self.inputs[name].ndim == 0 or not 1 <= len(self.inputs[name]) <= MAX_STEPS:
                raise ValueError(f"input {name!r} is by step and has no axis of 1 or more slices")


@dataclass(frozen=True)
class Ran:
    """A job that came to its end, and what it took.

    Attributes:
        outputs: by name; those of every step have a leading axis of steps.
        load_us: from the program's first instruction until the model could be invoked.
        invoke_us: of each step, inference alone; their mean alone where a runner tells no more.
        wall_us: from the program's first instruction to its last.
        cpu_us: of all its threads, loading included.
        peak_rss_bytes: the most memory it held (of ``benchmark_model``: by how much it grew).
        sent_bytes: job files, and whatever else had to go to the device first.
        sent_us: what sending them took, as this host saw it.
        received_bytes: outputs that came back.
        received_us: what fetching them took.
    """

    outputs: Mapping[str, Array]
    load_us: int
    invoke_us: IntArray
    wall_us: int
    cpu_us: int
    peak_rss_bytes: int
    sent_bytes: int = 0
    sent_us: int = 0
    received_bytes: int = 0
    received_us: int = 0


@dataclass(frozen=True)
class Failed:
    """A job that did not come to its end.

    Attributes:
        outcome: what the ledger records: ``REFUSED_RUNTIME`` for a model that this runtime cannot
            load, ``FAILED_MEMORY``, ``FAILED_TIMEOUT``, ``FAILED_OUTPUT``, ``FAILED_STORAGE``,
            ``FAILED_OFFLINE`` and ``FAILED_LINK`` for what their names say, ``FAILED_RUNNER`` else.
        message: one line for people.
        log: the end of what the runner had printed.
    """

    outcome: Outcome
    message: str
    log: str = field(default="", compare=False)


Result = Ran | Failed


class Runner(Protocol):
    """Runs jobs one after the other, somewhere; never raises for what a device can do."""

    def run(self, job: ModelJob) -> Result:
        """Do *job* and return what came of it."""
        ...

    def clean(self) -> None:
        """Remove every file that droidloop left where this runner runs."""
        ...


class ShellAnswer(Protocol):
    """What a command on a device printed and how it ended (128 + n: by signal n)."""

    @property
    def stdout(self) -> str:
        """Its standard output."""
        ...

    @property
    def exit_code(self) -> int:
        """Its exit status."""
        ...

    @property
    def last_words(self) -> str:
        """The last line of what it said, errors first."""
        ...


class Device(Protocol):
    """What a runner needs of a device; errors are ``AndroidError``, each with its outcome."""

    @property
    def serial(self) -> str:
        """What adb calls the device."""
        ...

    def shell(self, argv: Sequence[str], *, timeout_s: float) -> ShellAnswer:
        """Run the command *argv*, every word of it quoted; a status other than 0 is an answer."""
        ...

    def push(self, local: Path, remote: str) -> object:
        """Copy a file to the device, whole and checked or not at all; its folder exists there."""
        ...

    def pull(self, remote: str, local: Path, *, limit_bytes: int) -> object:
        """Copy a file of at most *limit_bytes* from the device."""
        ...


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ValueError(f"{name} is {value}, not within {low} to {high}")


def _among(name: str, some: Any, all_names: Any) -> None:
    if unknown := set(some) - set(all_names):
        raise ValueError(f"{name} names {sorted(unknown)}, which the job does not have")
