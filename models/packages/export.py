"""From a graph to a package: convert, quantise, run, measure, check.

The chain is torch, litert-torch, ai-edge-quantizer, LiteRT. Two int8 recipes, both with a scale
for each item (12 bytes beside its *dim* weights):

- ``int8`` keeps the weights in 8 bits and computes in float32. Every runtime gives the same
  numbers; the weights are unpacked when the model is loaded, so it saves bytes and not RAM.
- ``int8-dynamic`` rounds the input to 8 bits as well and computes in integers: a third of the RAM
  and of the time on large tables, numbers that depend on the runtime, and wrong ones without an
  error on tflite-runtime 2.14, which takes the first item's scale for all.
"""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError

from .child import run_child
from .exportable import Graph
from .litert import LiteRT, measure
from .manifest import LITERT_1, TFLITE_RUNTIME_2_14
from .package import ITEMS, Package, golden_sample, golden_stride, write_labels, write_npy

FLOAT, INT8, DYNAMIC = "float32", "int8", "int8-dynamic"
GOLDEN_RUNS = 4

RUNTIME_BYTES = 7 * 2**19
"""LiteRT's own code and tables: 3.2 to 3.4 MiB of the peak, measured on x86_64; rounded up."""

RAM_GRAIN_BYTES = 2**16

MIN_RUNTIME = {FLOAT: TFLITE_RUNTIME_2_14, INT8: TFLITE_RUNTIME_2_14, DYNAMIC: LITERT_1}
"""Lowest runtimes seen to be right: tflite-runtime 2.14; LiteRT 1.0, 1.2, 1.4, 2.0, 2.1 and 2.3."""

RELATIVE_TOLERANCE = 1e-5
"""Of the largest golden output (at least 1): the order of float32 sums differs among processors."""


@dataclass(frozen=True)
class _Answer:
    model: bytes
    outputs: dict[str, Array]


def export(
    graph: Graph,
    *,
    name: str,
    version: int,
    variants: Sequence[str] = (FLOAT, INT8),
    timeout_s: float = 900,
    items: Sequence[str] = (),
) -> Package:
    """Export *graph* as a package of *variants*, in one child process of about six seconds.

    *items* are what people call the items, in their order; none: they have numbers alone.
    The same graph gives the same bytes. Golden outputs come from LiteRT on this machine, memory
    from loading and running each variant in a fresh process.

    Raises:
        PackageError: the converter, the quantiser or LiteRT fails, or LiteRT's float32 answers are
            not torch's.
    """
    unknown = sorted(set(variants) - set(MIN_RUNTIME))
    if unknown or not variants:
        raise ValueError(f"variants are {', '.join(MIN_RUNTIME)}, not {unknown or variants}")
    golden = graph.golden_inputs(GOLDEN_RUNS)
    needed = {FLOAT, *variants} | ({INT8} if DYNAMIC in variants else set())
    models = convert(graph, sorted(needed), timeout_s)
    answers = {v: _Answer(model, LiteRT(model).run(golden)) for v, model in models.items()}
    _compare_with_torch(graph.run(golden), answers[FLOAT].outputs)
    return _pack(graph, name, version, golden, answers, variants, items)


def convert(graph: Graph, variants: list[str], timeout_s: float) -> dict[str, bytes]:
    """Return the ``.tflite`` file of each variant."""
    with tempfile.TemporaryDirectory(prefix="droidloop-export-") as folder:
        here = Path(folder)
        for constant, array in graph.constants.items():
            np.save(here / f"{constant}.npy", array, allow_pickle=False)
        plan = {
            "kind": graph.kind,
            "signature": graph.signature,
            "constants": sorted(graph.constants),
            "inputs": [spec.model_dump() for spec in graph.inputs],
            "outputs": [spec.model_dump() for spec in graph.outputs],
            "variants": variants,
        }
        (here / "graph.json").write_text(json.dumps(plan))
        child = "droidloop.models.packages.export_child"
        run_child(child, folder, what="exporting the model", timeout_s=timeout_s)
        return {variant: (here / f"{variant}.tflite").read_bytes() for variant in variants}


def _compare_with_torch(right: dict[str, Array], found: dict[str, Array]) -> None:
    for name, values in right.items():
        error = float(np.abs(values - found[name]).max())
        if not error <= _float_tolerance({name: values}):
            raise PackageError(
                f"exported {name} differ by {error:.3g} from torch's; the converter is at fault"
            )


def _pack(
    graph: Graph,
    name: str,
    version: int,
    golden: dict[str, Array],
    answers: dict[str, _Answer],
    variants: Sequence[str],
    items: Sequence[str],
) -> Package:
    stride = golden_stride(answers[FLOAT].outputs)
    files = {f"golden/{i}.npy": write_npy(values) for i, values in golden.items()}
    records = {}
    for variant in variants:
        answer = answers[variant]
        files[f"{variant}.tflite"] = answer.model
        outputs = {}
        for output, values in answer.outputs.items():
            outputs[output] = f"golden/{variant}/{output}.npy"
            files[outputs[output]] = write_npy(golden_sample(values, stride))
        records[variant] = {
            "model": f"{variant}.tflite",
            "golden_outputs": outputs,
            "min_runtime": MIN_RUNTIME[variant],
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
        signature=graph.signature,
        inputs=graph.inputs,
        outputs=graph.outputs,
        golden_inputs={i: f"golden/{i}.npy" for i in golden},
        golden_stride=stride,
        variants=records,
    )


def _ram_bytes(model: bytes) -> int:
    """Return the memory to load and run *model*: LiteRT's heap, measured, file and runtime.

    Not the resident peak itself, which the kernel counts in ways that may vary from run to run,
    and a ledger must not; the two are held together by a test.
    """
    taken = measure(model, runs=1).heap_bytes + len(model)
    return -(-taken // RAM_GRAIN_BYTES) * RAM_GRAIN_BYTES + RUNTIME_BYTES


def _float_tolerance(outputs: dict[str, Array]) -> float:
    largest = max(float(np.abs(values).max()) for values in outputs.values())
    return RELATIVE_TOLERANCE * max(1.0, largest)


def _tolerance(variant: str, answers: dict[str, _Answer]) -> float:
    """Return the absolute tolerance of golden outputs.

    Runtimes round the inputs of ``int8-dynamic`` to different grids. What rounding does is the
    difference from ``int8``, which has the same weights; four times its largest allows for a
    grid twice as coarse on the other side, and is far below what a wrong scale does.
    """
    tolerance = _float_tolerance(answers[variant].outputs)
    if variant == DYNAMIC:
        for name, values in answers[INT8].outputs.items():
            tolerance += 4.0 * float(np.abs(values - answers[DYNAMIC].outputs[name]).max())
    return tolerance
