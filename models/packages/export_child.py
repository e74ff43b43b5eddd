"""The child process that turns graphs into ``.tflite`` files; see ``export``.

What it makes does not depend on what it made before. The only module that imports litert_torch and
ai_edge_quantizer: they take seconds to import, write to standard output and warn; torch and the
converter are imported for a graph alone. Reads ``graph.json`` and the constants in a folder, or a
model and ``variants.json``, and writes a file for each variant there.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from droidloop.platform.served import serve

if TYPE_CHECKING:
    from .exportable import Graph

FLOAT = "float32"
IDLE_S = 60.0
"""Between two exports: a process of some 600 MB is not kept for longer."""


def read_graph(folder: Path) -> "tuple[Graph, list[str]]":
    """Return the graph that ``export`` left in *folder*, and the variants asked for."""
    from .exportable import Graph
    from .manifest import TensorSpec

    plan = json.loads((folder / "graph.json").read_text())
    constants = {
        name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in plan["constants"]
    }
    inputs, outputs = (
        tuple(TensorSpec(**{**spec, "shape": tuple(spec["shape"])}) for spec in plan[side])
        for side in ("inputs", "outputs")
    )
    graph = Graph(plan["kind"], plan["signature"], constants, inputs, outputs)
    return graph, plan["variants"]


def convert(graph: "Graph", path: Path) -> None:
    """Write the float32 model of *graph* with litert-torch."""
    import litert_torch
    import torch

    module = graph.module()
    examples = {
        spec.name: torch.zeros(spec.shape, dtype=getattr(torch, spec.dtype))
        for spec in graph.inputs
    }
    signature = litert_torch.signature(graph.signature, module, sample_kwargs=examples)
    signature.convert().export(str(path))


def quantize(source: Path, variant: str, path: Path) -> None:
    """Write the *variant* of the float32 model *source* with ai-edge-quantizer."""
    from ai_edge_quantizer import qtyping, quantizer, recipe

    recipes = {
        "int8": recipe.weight_only_wi8_afp32,
        "int8-dynamic": recipe.dynamic_wi8_afp32,
        "int4": recipe.weight_only_wi4_afp32,
    }
    if variant == "float16":
        maker = quantizer.Quantizer(str(source))
        maker.update_quantization_recipe(
            regex=".*",
            operation_name=qtyping.TFLOperationName.ALL_SUPPORTED,
            op_config=qtyping.OpQuantizationConfig(
                weight_tensor_config=qtyping.TensorQuantizationConfig(
                    num_bits=16, dtype=qtyping.TensorDataType.FLOAT
                ),
                compute_precision=qtyping.ComputePrecision.FLOAT,
                explicit_dequantize=True,
            ),
            algorithm_key=quantizer.AlgorithmName.FLOAT_CASTING,
        )
    else:
        maker = quantizer.Quantizer(str(source), recipes[variant]())
    path.write_bytes(maker.quantize().quantized_model)


def main(folder: str) -> None:
    """Export what *folder* asks for; a ``float32.tflite`` there is taken in place of a graph."""
    here = Path(folder)
    source = here / f"{FLOAT}.tflite"
    if source.exists():
        variants = json.loads((here / "variants.json").read_text())
    else:
        graph, variants = read_graph(here)
        convert(graph, source)
    for variant in variants:
        if variant != FLOAT:
            quantize(source, variant, here / f"{variant}.tflite")


if __name__ == "__main__":
    serve(main, IDLE_S)
