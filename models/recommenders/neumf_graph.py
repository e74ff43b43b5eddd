"""The graph of a trained NeuMF, as it is exported."""

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from droidloop.models.interfaces.learning import Cost, Params
from droidloop.models.packages.exportable import FLATBUFFER_LIMIT_BYTES, Graph
from droidloop.models.packages.manifest import TensorSpec
from droidloop.models.packages.shipped import Shipped
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.arrays import Array

if TYPE_CHECKING:
    from .neumf import NeuMF


def scoring_neumf(model: "NeuMF", params: Params) -> Graph:
    """Return the graph of *model*: ``user`` (1, dim) in, ``scores`` (1, n_items) out.

    What the network makes of an item's vector alone is a constant for each item, of ``gmf_dim`` and
    ``hidden[0]`` numbers: a smaller table makes training and messages smaller, not this file.

    Raises:
        ValueError: a parameter is not finite, or there are too many for a ``.tflite`` file.
    """
    arrays = {name: params[name].numpy() for name in model.dense}
    cut, size, item = model.gmf_dim, model.mlp_dim, every_vector(model.items, params)
    constants: dict[str, Array] = {"out_bias": arrays["out_bias"]}
    if cut:
        constants["product"] = item[:, :cut] * arrays["out"][:cut]
    if size:
        constants["user0"] = arrays["weight0"][:size].T
        constants["items0"] = item[:, cut:] @ arrays["weight0"][size:]
        constants["out"] = arrays["out"][None, cut:]
    for k in range(len(model.hidden)):
        constants[f"bias{k}"] = arrays[f"bias{k}"]
        if k:
            constants[f"weight{k}"] = arrays[f"weight{k}"].T
    constants = {name: np.ascontiguousarray(a, np.float32) for name, a in constants.items()}
    if not all(np.isfinite(array).all() for array in constants.values()):
        raise ValueError("NeuMF has parameters that are not finite float32 numbers")
    if (taken := sum(array.nbytes for array in constants.values())) > FLATBUFFER_LIMIT_BYTES:
        raise ValueError(f"parameters of {taken} bytes do not fit a .tflite file (2 GiB)")
    user = TensorSpec(name="user", shape=(1, model.dim), dtype="float32")
    scores = TensorSpec(name="scores", shape=(1, model.n_items), dtype="float32")
    return Graph("neural-scorer", "score", constants, (user,), (scores,))


def ship_neumf(model: "NeuMF", params: Params) -> Shipped:
    """Return the network on the item table as a graph, and the users' vectors that it takes.

    A list takes the product's multiplications, and of each item those of all layers but the
    first, whose items' half is a constant.
    """
    widths, n = model.hidden, model.n_items
    inner = sum(one * other for one, other in pairwise(widths)) + widths[-1]
    return Shipped(
        scoring_neumf(model, params),
        params["user"].numpy(),
        Cost(
            flops=2 * n * (model.gmf_dim + widths[0] + inner),
            moved_bytes=4 * n * (model.gmf_dim + widths[0] + 2 * sum(widths)),
            ram_bytes=0,
        ),
    )
