"""LightGCN: matrix factorisation on vectors that were averaged over the graph's neighbourhoods.

He et al., LightGCN: Simplifying and Powering Graph Convolution Network for Recommendation (SIGIR
2020).
"""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.graphs.propagation import Bipartite, propagate_in_torch
from droidloop.models.interfaces.learning import Batch, Context, Cost, EmbeddingTable, Params
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Section, Size

from .mf import MF, Loss


@dataclass(frozen=True)
class LightGCN:
    """Score of a user for an item: the product of their vectors' means over the layers.

    Parameters are those of MF, ``user`` (private) with a row for each user of the graph and
    ``item`` (shared). Without layers it is MF, bit for bit.

    Attributes:
        graph: who has what in training: of all users in one place, or the ego graphs of a
            cohort (``ego_graphs.py``).
        dim: the length of a vector.
        layers: how often vectors are passed on.
        loss_name: as in MF.
        l2: weight of (|user|^2 + |item|^2) / 2 of the vectors before propagation, as in MF.
        sd: standard deviation of the first vectors.
        table: where item vectors come from; dense unless given.
    """

    graph: Bipartite
    dim: int
    layers: int = 3
    loss_name: Loss = "bpr"
    l2: float = 0.0
    sd: float = 0.1
    table: EmbeddingTable | None = None
    first: MF = field(init=False, repr=False)
    last: MF = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.layers < 0:
            raise ValueError(f"no graph has {self.layers} layers")
        n_items = self.graph.n_items
        first = MF(n_items, self.dim, self.loss_name, self.l2, self.sd, self.table)
        dense = DenseTable(n_items, self.dim, name=first.items.name)
        object.__setattr__(self, "first", first)
        object.__setattr__(self, "last", MF(n_items, self.dim, self.loss_name, table=dense))

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return self.graph.n_items

    @property
    def items(self) -> EmbeddingTable:
        """The table of item vectors before propagation."""
        return self.first.items

    @property
    def tables(self) -> dict[str, EmbeddingTable]:
        """The shared table, by name."""
        return self.first.tables

    @property
    def private(self) -> frozenset[str]:
        """``user``: the vectors of users before propagation."""
        return self.first.private

    def init(self, draws: Draws) -> Params:
        """Return fresh item vectors, those of MF."""
        return self.first.init(draws)

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users*, those of MF."""
        return self.first.init_private(draws, users)

    def vectors(self, params: Params) -> Params:
        """Return the propagated vectors under the same names: scores are their products.

        They are what a phone is sent, or computes on its ego graph, to score as MF does.
        """
        name = self.items.name
        if self.layers == 0:
            return {"user": params["user"], name: self._item(params)}
        user, item = propagate_in_torch(self.graph, params["user"], self._item(params), self.layers)
        return {"user": user, name: item}

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return the products of propagated vectors; *users* and *items* broadcast."""
        return self.last.score(self.vectors(params), users, items)

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each example with its negatives, shape (batch,)."""
        each = self.last.pair_losses(self.vectors(params), batch)
        return self.first.total(each, params, batch)

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* pairs take, in one batch.

        That of MF and the propagation, forward and back: in each layer and direction, of each edge
        3 dim flops and a row of 4 dim bytes read; in memory the vectors of two layers and of the
        slopes, and 4 bytes for each edge and side.
        """
        edges, nodes = 2 * self.graph.n_edges, self.graph.n_users + self.graph.n_items
        pairs, passes = self.first.cost(examples), 2 * self.layers
        return Cost(
            flops=pairs.flops + passes * (3 * edges + 3 * nodes) * self.dim,
            moved_bytes=pairs.moved_bytes + passes * (edges + 2 * nodes) * 4 * self.dim,
            ram_bytes=pairs.ram_bytes + min(passes, 1) * (3 * nodes * 4 * self.dim + 4 * edges),
        )

    def _item(self, params: Params) -> torch.Tensor:
        return self.items.lookup(params, torch.from_numpy(np.arange(self.n_items)))


class LightGCNSection(Section):
    """LightGCN on the graph of all users and items, which one place alone can know."""

    dim: Size = 32
    """The length of a vector."""
    loss: Literal["log", "bpr"] = "log"
    """As in matrix factorisation."""
    layers: Count = 3
    """How often vectors are passed on."""


def build(section: LightGCNSection, task: TaskData) -> LightGCN:
    """Return LightGCN on the training graph of *task*."""
    graph = Bipartite.of(task.split.train, task.split.n_items)
    return LightGCN(graph, section.dim, section.layers, loss_name=section.loss)


METHOD = Method(
    kind="recommender",
    name="lightgcn",
    section=LightGCNSection,
    build=build,
    source="He et al.: LightGCN (SIGIR 2020)",
    gives=frozenset({"central", "user-vector"}),
)
