"""From models and their answers to a package: golden files, memory, tolerances, lowest runtimes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Array

from .litert import measure
from .manifest import LITERT_1, LITERT_2_3, TFLITE_RUNTIME_2_14, TensorSpec
from .package import ITEMS, Package, golden_sample, golden_stride, write_labels, write_npy

FLOAT, FLOAT16, INT8, DYNAMIC, INT4 = "float32", "float16", "int8", "int8-dynamic", "int4"

PRECISION = (FLOAT, FLOAT16, INT8, DYNAMIC, INT4)
"""From the one that is nearest to the model down."""

RUNTIME_BYTES = 7 * 2**19
"""LiteRT's own code and tables: 3.2 to 3.4 MiB of the peak, measured on x86_64; rounded up."""

RAM_GRAIN_BYTES = 2**16

MIN_RUNTIME = {
    FLOAT: TFLITE_RUNTIME_2_14,
    FLOAT16: TFLITE_RUNTIME_2_14,
    INT8: TFLITE_RUNTIME_2_14,
    DYNAMIC: LITERT_1,
    INT4: LITERT_2_3,
}
"""Lowest runtimes seen to be right: tflite-runtime 2.14; LiteRT 1.0, 1.2, 1.4, 2.0, 2.1 and 2.3
(float16 and int4: tflite-runtime 2.14 and LiteRT 2.3 alone were tried)."""

RELATIVE_TOLERANCE = 1e-5
"""Of the largest golden output (at least 1): the order of float32 sums differs among processors."""


@dataclass(frozen=True)
class Answer:
    """A ``.tflite`` file, and its outputs for the golden inputs, (count, *shape*)."""

    model: bytes
    outputs: Mapping[str, Array]


@dataclass(frozen=True)
class Face:
    """How a model is called: its signature, inputs and outputs in order."""

    signature: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


def pack(
    face: Face,
    name: str,
    version: int,
    golden: Mapping[str, Array],
    answers: Mapping[str, Answer],
    variants: Sequence[str],
    items: Sequence[str] = (),
) -> Package:
    """Return the package *name* of *variants*, each measured in a process of its own.

    Args:
        face: of all of them.
        name: of the package.
        version: of it.
        golden: inputs by name, (count, *shape*).
        answers: of each variant, and of ``INT8`` where ``DYNAMIC`` is one.
        variants: those that go in; names that are not in ``PRECISION`` run everywhere.
        items: what people call the items, in their order; none: they have numbers alone.

    Raises:
        PackageError: LiteRT refuses a model.
    """
    stride = golden_stride(answers[variants[0]].outputs)
    files: dict[str, bytes] = {}
    given: dict[str, str] = {}
    for k, (one, values) in enumerate(golden.items()):
        given[one] = f"golden/in-{k}.npy"
        files[given[one]] = write_npy(values)
    records = {}
    for variant in variants:
        answer, outputs = answers[variant], {}
        files[f"{variant}.tflite"] = answer.model
        for k, (one, values) in enumerate(answer.outputs.items()):
            outputs[one] = f"golden/{variant}/out-{k}.npy"
            files[outputs[one]] = write_npy(golden_sample(values, stride))
        records[variant] = {
            "model": f"{variant}.tflite",
            "golden_outputs": outputs,
            "min_runtime": MIN_RUNTIME.get(variant, TFLITE_RUNTIME_2_14),
            "ram_bytes": _ram_bytes(answer.model),
            "tolerance": _tolerance(variant, answers),
        }
    if items:
        files[ITEMS] = write_labels(items)
    return Package.build(
        files=files,
        items=ITEMS if items else None,
        name=name,
        version=version,
        signature=face.signature,
        inputs=face.inputs,
        outputs=face.outputs,
        golden_inputs=given,
        golden_stride=stride,
        variants=records,
    )


def float_tolerance(outputs: Mapping[str, Array]) -> float:
    """Return by how much float32 arithmetic may differ among processors, absolute."""
    largest = max(float(np.abs(values.astype(np.float64)).max()) for values in outputs.values())
    return RELATIVE_TOLERANCE * max(1.0, largest)


def _ram_bytes(model: bytes) -> int:
    """Return the memory to load and run *model*: LiteRT's heap, measured, file and runtime.

    Not the resident peak itself, which the kernel counts in ways that may vary from run to run,
    and a ledger must not; the two are held together by a test.
    """
    taken = measure(model, runs=1).heap_bytes + len(model)
    return -(-taken // RAM_GRAIN_BYTES) * RAM_GRAIN_BYTES + RUNTIME_BYTES


def _tolerance(variant: str, answers: Mapping[str, Answer]) -> float:
    """Return the absolute tolerance of golden outputs.

    Runtimes round the inputs of ``int8-dynamic`` to different grids. What rounding does is the
    difference from ``int8``, which has the same weights; four times its largest allows for a
    grid twice as coarse on the other side, and is far below what a wrong scale does.
    """
    tolerance = float_tolerance(answers[variant].outputs)
    if variant == DYNAMIC:
        for name, values in answers[INT8].outputs.items():
            tolerance += 4.0 * float(np.abs(values - answers[DYNAMIC].outputs[name]).max())
    return tolerance
