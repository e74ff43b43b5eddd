"""From a graph to a package: convert, quantise, run, measure, check.

The chain is torch, litert-torch, ai-edge-quantizer, LiteRT. Two int8 recipes, both with a scale
for each item (12 bytes beside its *dim* weights):

- ``int8`` keeps the weights in 8 bits and computes in float32. Every runtime gives the same
  numbers; the weights are unpacked when the model is loaded, so it saves bytes and not RAM.
- ``int8-dynamic`` rounds the input to 8 bits as well and computes in integers: a third of the RAM
  and of the time on large tables, numbers that depend on the runtime, and wrong ones without an
  error on tflite-runtime 2.14, which takes the first item's scale for all.

Beside them ``float16`` (half the bytes) and ``int4`` (weights in 4 bits), both computed
in float32; tflite-runtime 2.14 refuses ``int4``.
"""

import json
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.durable import reason_of
from droidloop.platform.errors import PackageError

from .child import KeptChild
from .exportable import SCORER, Graph
from .litert import LiteRT
from .package import Package
from .packing import DYNAMIC, FLOAT, INT8, MIN_RUNTIME, Answer, Face, float_tolerance, pack
from .scorer_file import scorer_file

GOLDEN_RUNS = 4
EXPORTER = KeptChild("droidloop.models.packages.export_child")


def export(
    graph: Graph,
    *,
    name: str,
    version: int,
    variants: Sequence[str] = (FLOAT, INT8),
    timeout_s: float = 900,
    items: Sequence[str] = (),
) -> Package:
    """Export *graph* as a package of *variants*.

    A child process does it: six seconds for the first one, then about one; a plain scorer, which
    needs no converter, takes a second (``scorer_file``).
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
    answers = {v: Answer(model, LiteRT(model).run(golden)) for v, model in models.items()}
    _compare_with_torch(graph.run(golden), answers[FLOAT].outputs)
    face = Face(graph.signature, graph.inputs, graph.outputs)
    return pack(face, name, version, golden, answers, variants, items)


def convert(graph: Graph, variants: list[str], timeout_s: float) -> dict[str, bytes]:
    """Return the ``.tflite`` file of each variant."""
    if graph.kind == SCORER:
        (user,), (scores,) = graph.inputs, graph.outputs
        return quantized(
            scorer_file(graph.constants["table"], graph.signature, user.name, scores.name),
            variants,
            timeout_s,
        )
    with export_folder() as here:
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
        EXPORTER.ask(str(here), what="exporting the model", timeout_s=timeout_s)
        return {variant: (here / f"{variant}.tflite").read_bytes() for variant in variants}


def quantized(model: bytes, variants: Collection[str], timeout_s: float) -> dict[str, bytes]:
    """Return the file of each of *variants* of the float32 *model*.

    Raises:
        PackageError: the quantiser fails, or leaves a variant out.
    """
    if set(variants) == {FLOAT}:
        return {FLOAT: model}
    with export_folder() as here:
        (here / f"{FLOAT}.tflite").write_bytes(model)
        (here / "variants.json").write_text(json.dumps(sorted(variants)))
        EXPORTER.ask(str(here), what="quantizing the model", timeout_s=timeout_s)
        files = {one: here / f"{one}.tflite" for one in sorted(variants)}
        if missing := [one for one, path in files.items() if not path.exists()]:
            raise PackageError(f"quantizing the model: no {missing[0]} was made; leave it out")
        return {one: path.read_bytes() for one, path in files.items()}


@contextmanager
def export_folder() -> Iterator[Path]:
    """Yield a folder for an export, gone afterwards.

    Raises:
        PackageError: it cannot be made, written or read.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="droidloop-export-") as folder:
            yield Path(folder)
    except OSError as error:
        raise PackageError(
            f"exporting the model: {error.filename or tempfile.tempdir}: {reason_of(error)}, "
            "or set TMPDIR to a folder with room"
        ) from error


def _compare_with_torch(right: Mapping[str, Array], found: Mapping[str, Array]) -> None:
    for name, values in right.items():
        error = float(np.abs(values - found[name]).max())
        if not error <= float_tolerance({name: values}):
            raise PackageError(
                f"exported {name} differ by {error:.3g} from torch's; the converter is at fault"
            )
