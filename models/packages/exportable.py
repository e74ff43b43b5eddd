"""What is exported: torch modules with the shared part as constants and private parts as inputs.

A graph is described by a builder's name, arrays and tensor specifications, so that the child
process that exports it gets plain files and no pickled code.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.platform.arrays import Array
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

from .manifest import TensorSpec
from .neumf_module import neural_scorer
from .training_step import STEP_BUILDERS

FLATBUFFER_LIMIT_BYTES = 2**31 - 2**20
"""The most constants that a ``.tflite`` file can hold: its offsets have 31 bits."""


class Scorer(nn.Module):
    """Scores every item for one user: one fully connected operation on a constant table.

    In that form the int8 recipes apply to the table, and to nothing else.
    """

    table: torch.Tensor

    def __init__(self, table: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        return {"scores": nn.functional.linear(user, self.table)}


SCORER = "scorer"
"""The kind of the plain scorer."""

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    SCORER: Scorer,
    "neural-scorer": neural_scorer,
    **STEP_BUILDERS,
}
"""How to make a module of each kind of graph from its constants, given by name.

Any other kind is a place, ``module:function``, as a table's ``scorer`` names it.
"""


def builder_of(kind: str) -> Callable[..., nn.Module]:
    """Return what makes the module of *kind*.

    Raises:
        PackageError: there is no such place.
    """
    if kind in BUILDERS:
        return BUILDERS[kind]
    module, _, function = kind.partition(":")
    try:
        found: Callable[..., nn.Module] = getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise PackageError(f"graph {kind!r} cannot be built ({error})") from error
    return found


@dataclass(frozen=True)
class Graph:
    """One signature of a model: a builder's name, its constants, inputs and outputs in order."""

    kind: str
    signature: str
    constants: dict[str, Array]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def module(self) -> nn.Module:
        """Return the torch module, ready for evaluation."""
        tensors = {name: torch.from_numpy(array) for name, array in self.constants.items()}
        return builder_of(self.kind)(**tensors).eval()

    def golden_inputs(self, count: int) -> dict[str, Array]:
        """Return *count* inputs of each name, shape (count, *shape*): chance, never a user's data.

        Multiples of 1/256, so that no platform's logarithm shows in them.
        """
        golden = {}
        for spec in self.inputs:
            size = int(np.prod(spec.shape))
            draws = Draws(0, f"golden/{spec.name}")
            values = draws.normal(np.arange(count)[:, None], np.arange(size)[None, :])
            exact = np.round(values * 256.0) / 256.0
            golden[spec.name] = exact.reshape(count, *spec.shape).astype(spec.dtype)
        return golden

    def run(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return what torch makes of *inputs* (count, *shape*), one evaluation each."""
        module = self.module()
        count = len(next(iter(inputs.values())))
        rows: dict[str, list[Array]] = {spec.name: [] for spec in self.outputs}
        with torch.no_grad():
            for k in range(count):
                out = module(**{name: torch.from_numpy(inputs[name][k]) for name in inputs})
                for name, values in out.items():
                    rows[name].append(values.numpy())
        return {name: np.stack(values) for name, values in rows.items()}


def scoring(table: Array) -> Graph:
    """Return the graph of matrix factorisation: ``user`` (1, dim) in, ``scores`` (1, n_items) out.

    Raises:
        ValueError: *table* is no finite (n_items, dim) array, or too large for a ``.tflite`` file.
    """
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"an item table is (n_items, dim), not {table.shape}")
    _require_fitting(4 * table.size)
    return _scoring(SCORER, {"table": table}, *table.shape)


def scoring_table(table: EmbeddingTable, params: Params) -> Graph:
    """Return the graph of matrix factorisation on any *table*, from the parameters that ship.

    Raises:
        ValueError: a parameter is not finite, or all are too large for a ``.tflite`` file.
    """
    _require_fitting(table.nbytes)
    kind, constants = table.scorer(params)
    return _scoring(kind, constants, table.n, table.dim)


def scoring_on(kind: str, constants: dict[str, Array], n_items: int, dim: int) -> Graph:
    """Return the graph of a builder of *kind*: ``user`` (1, dim) in, ``scores`` (1, n_items) out.

    Raises:
        ValueError: a constant is not finite, or all are too large for a ``.tflite`` file.
    """
    _require_fitting(sum(array.nbytes for array in constants.values()))
    return _scoring(kind, constants, n_items, dim)


def _scoring(kind: str, constants: dict[str, Array], n_items: int, dim: int) -> Graph:
    for name, array in constants.items():
        real = np.issubdtype(array.dtype, np.floating)
        constants[name] = np.ascontiguousarray(array, np.float32 if real else array.dtype)
        if not np.isfinite(constants[name]).all():
            raise ValueError("the item table has values that are not finite float32 numbers")
    user = TensorSpec(name="user", shape=(1, dim), dtype="float32")
    scores = TensorSpec(name="scores", shape=(1, n_items), dtype="float32")
    return Graph(kind, "score", constants, (user,), (scores,))


def _require_fitting(nbytes: int) -> None:
    if nbytes > FLATBUFFER_LIMIT_BYTES:
        raise ValueError(f"a table of {nbytes} bytes does not fit a .tflite file (2 GiB)")
