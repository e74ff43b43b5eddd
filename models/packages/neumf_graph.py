"""The graph of a trained NeuMF, as it is exported."""

import numpy as np

from droidloop.models.interfaces.learning import Params
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.arrays import Array

from .exportable import FLATBUFFER_LIMIT_BYTES, Graph
from .manifest import TensorSpec


def scoring_neumf(model: NeuMF, params: Params) -> Graph:
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
