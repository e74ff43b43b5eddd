"""NeuMF: the product of a user and an item vector and a network on both, joined before one logit.

He et al., Neural Collaborative Filtering (WWW 2017).
"""

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Annotated, ClassVar

import numpy as np
import torch
from pydantic import Field

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Cost, EmbeddingTable, Params
from droidloop.models.packages.shipped import Shipped
from droidloop.models.tables.choose import table_of
from droidloop.models.tables.dense import DenseSection
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Section, Size

from .neumf_graph import ship_neumf
from .vector_model import UserAndItemVectors, table_for


@dataclass(frozen=True)
class NeuMF(UserAndItemVectors):
    """Score of a user for an item: ``out`` . [p * q, MLP([p'; q'])] + ``out_bias``, a logit.

    The two vectors of an item, q and q', are one row of the table ``item``, and those of a user
    one row of ``user`` (private): the first ``gmf_dim`` numbers are the product's, the others the
    network's. Layer k of the network is relu(x ``weight{k}`` + ``bias{k}``); weights are stored
    with one row for each input. Without ``mlp_dim`` this is the paper's GMF, without ``gmf_dim``
    its MLP. Dense parameters are shared.

    Attributes:
        n_items: how many items there are.
        gmf_dim: the length of the vectors that are multiplied; 0: none are.
        mlp_dim: the length of a user's and of an item's vector that enter the network.
        hidden: the widths of its layers; empty where ``mlp_dim`` is 0.
        dim: the length of a row, of both vectors together.
        sd: standard deviation of the first vectors.
        table: where item vectors come from; dense unless given.
        drawn_product: whether the weights of the product are drawn too; see ``init``.
    """

    n_items: int
    gmf_dim: int = 8
    mlp_dim: int = 16
    hidden: tuple[int, ...] = (16, 8)
    sd: float = 0.01
    table: EmbeddingTable | None = None
    drawn_product: bool = False
    dim: int = field(init=False, repr=False)
    tables: dict[str, EmbeddingTable] = field(init=False, repr=False)
    private: frozenset[str] = field(init=False, repr=False, default=frozenset({"user"}))

    def __post_init__(self) -> None:
        sizes = (self.gmf_dim, self.mlp_dim, *self.hidden)
        if min(sizes) < 0 or (self.mlp_dim > 0) != (len(self.hidden) > 0) or 0 in self.hidden:
            raise ValueError(f"no network has vectors of {self.mlp_dim} and layers {self.hidden}")
        object.__setattr__(self, "dim", self.gmf_dim + self.mlp_dim)
        table = table_for(self.table, self.n_items, self.dim, self.sd)
        object.__setattr__(self, "tables", {table.name: table})

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths of the network from its input on; empty without a network."""
        return (2 * self.mlp_dim, *self.hidden) if self.hidden else ()

    @property
    def dense(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the shared parameters that are no table, by name."""
        shapes: dict[str, tuple[int, ...]] = {}
        for k, (inputs, outputs) in enumerate(pairwise(self.widths)):
            shapes |= {f"weight{k}": (inputs, outputs), f"bias{k}": (outputs,)}
        joined = self.gmf_dim + (self.hidden[-1] if self.hidden else 0)
        return shapes | {"out": (joined,), "out_bias": (1,)}

    def ship(self, params: Params) -> Shipped:
        """Return the network on the item table as a graph, and the users' vectors."""
        return ship_neumf(self, params)

    def init(self, draws: Draws) -> Params:
        """Return fresh item vectors and network.

        The weights of the product start at 1, so that GMF starts as matrix factorisation: from
        small ones, as the paper has them (``drawn_product``), plain SGD hardly moves the vectors
        behind them. Those of layers are drawn from N(0, 2 / (inputs + outputs)) (Glorot and Bengio
        2010), those of the network's outputs uniformly with the variance 1 / inputs; biases are 0.
        """
        params = self.items.init(draws)
        for name, shape in self.dense.items():
            values = np.zeros(shape, np.float32)
            if name == "out":
                uniform = draws.child(name).uniform(np.arange(shape[0]), 0)
                values[:] = (2 * uniform - 1) * np.sqrt(3 / shape[0])
                if not self.drawn_product:
                    values[: self.gmf_dim] = 1
            elif name.startswith("weight"):
                sd = float(np.sqrt(2 / sum(shape)))
                values[:] = normal_rows(draws.child(name), np.arange(shape[0]), shape[1], sd)
            params[name] = torch.from_numpy(values)
        return params

    def score_vectors(
        self, params: Params, users: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """Return logits of users and these vectors, ``users.shape + (dim,)``.

        Sums run over the inputs one by one: that gives the same bits for one phone as for a
        cohort, which a matrix product does not. The user's half of the first layer is computed
        once for all items.
        """
        return self._logits(params, self.user(params, users), vectors)

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* pairs of a user and an item take.

        Of each pair: 2 flops forward and 4 backward for each weight of the network (the user's
        half of the first layer, once a batch, is left out), 9 for each factor of the product, 2
        for each number of the vector, 8 for the logistic function; 4 dim bytes for the vector's
        gradient and 12 bytes for each weight, beside what the table takes. In memory at once: the
        table, its rows and the vectors' gradients, four copies of the weights, 8 bytes a pair.
        """
        table = self.items.cost(examples)
        vectors: IntArray = np.minimum(np.asarray(examples, np.int64), self.n_items)
        every = sum(int(np.prod(shape)) for shape in self.dense.values())
        weights = every - self.mlp_dim * (self.hidden[0] if self.hidden else 0)
        return Cost(
            flops=table.flops + examples * (6 * weights + 9 * self.gmf_dim + 2 * self.dim + 8),
            moved_bytes=table.moved_bytes + (4 * self.dim + 12 * weights) * examples,
            ram_bytes=table.ram_bytes + 4 * self.dim * vectors + 16 * every + 8 * examples,
        )

    def _logits(self, params: Params, user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        cut, out = self.gmf_dim, params["out"]
        product = user[..., :cut] * item[..., :cut] * out[:cut]
        logits = product.sum(-1) + params["out_bias"]
        if not self.hidden:
            return logits
        weight = params["weight0"]
        mine = _through(user[..., cut:], weight[: self.mlp_dim]) + params["bias0"]
        x = torch.relu(mine + _through(item[..., cut:], weight[self.mlp_dim :]))
        for k in range(1, len(self.hidden)):
            x = torch.relu(_through(x, params[f"weight{k}"]) + params[f"bias{k}"])
        return logits + (x * out[cut:]).sum(-1)


def _through(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return x weight, (..., outputs), summed over the inputs in their order."""
    total = x[..., :1] * weight[0]
    for j in range(1, len(weight)):
        total = total + x[..., j : j + 1] * weight[j]
    return total


class NeuMFSection(Section):
    """Neural matrix factorisation: a product of vectors and a network, joined before one logit."""

    choices: ClassVar = {"table": ("table", "dense")}

    dim: Size = 32
    """The length of the vectors that are multiplied."""
    mlp_dim: Size = 16
    """The length of a user's and of an item's vector that enter the network."""
    hidden: Annotated[list[Size], Field(min_length=1)] = Field(default=[16, 8])
    """The widths of its layers."""
    table: Section = DenseSection()
    """Where item vectors come from."""


_SD = 0.1
"""Of the first vectors: plain SGD leaves smaller ones where they are for many rounds."""


def build(section: NeuMFSection, task: TaskData) -> NeuMF:
    """Return NeuMF on the items of *task*."""
    n, hidden = task.split.n_items, tuple(section.hidden)
    table = table_of(section.table, n, section.dim + section.mlp_dim, sd=_SD)
    return NeuMF(n, section.dim, section.mlp_dim, hidden, _SD, table)


METHOD = Method(
    kind="recommender",
    name="neumf",
    section=NeuMFSection,
    build=build,
    source="He et al.: Neural Collaborative Filtering (WWW 2017)",
    gives=frozenset({"neumf", "item-table", "user-vector", "ships", "central"}),
)
