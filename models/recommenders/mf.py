"""Matrix factorisation: a private vector for each user, a shared one for each item."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from pydantic import PositiveInt

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Batch, Context, Cost, EmbeddingTable, Params
from droidloop.models.numerics.losses import bpr, log_loss, squared_error
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.packages.exportable import scoring_table
from droidloop.models.packages.shipped import Shipped
from droidloop.models.tables.choose import table_of
from droidloop.models.tables.dense import DenseSection, DenseTable
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import NotNegative, Section

Loss = Literal["log", "bpr", "squared"]

_BLOCK = 1 << 18
"""Numbers in a product of vectors, 1 MiB."""


@dataclass(frozen=True)
class MF:
    """Score of a user for an item: the product of ``user`` (private) and ``item`` (shared) vectors.

    No biases: scores of one user compare items, and what an item's bias would say, its vector can.

    Attributes:
        n_items: how many items there are.
        dim: the length of a vector.
        loss_name: ``log`` (what was chosen is 1, a negative 0), ``bpr`` (each negative against
            the item) or ``squared`` (the ratings; a negative is 0).
        l2: weight of (|user|^2 + |item|^2) / 2, added for every item of every example.
        sd: standard deviation of the first vectors.
        table: where item vectors come from; dense unless given.
    """

    n_items: int
    dim: int
    loss_name: Loss = "log"
    l2: float = 0.0
    sd: float = 0.1
    table: EmbeddingTable | None = None
    tables: dict[str, EmbeddingTable] = field(init=False, repr=False)
    private: frozenset[str] = field(init=False, repr=False, default=frozenset({"user"}))

    def __post_init__(self) -> None:
        if self.loss_name not in get_args(Loss):
            raise ValueError(f"no loss is called {self.loss_name!r}: {get_args(Loss)}")
        table = self.table or DenseTable(self.n_items, self.dim, sd=self.sd)
        if (table.n, table.dim) != (self.n_items, self.dim):
            raise ValueError(f"a table of {table.n} x {table.dim} for {self.n_items} x {self.dim}")
        object.__setattr__(self, "tables", {table.name: table})

    @property
    def items(self) -> EmbeddingTable:
        """The table of item vectors."""
        [table] = self.tables.values()
        return table

    @property
    def dense(self) -> dict[str, tuple[int, ...]]:
        """Nothing is shared but the table."""
        return {}

    @property
    def needs_negatives(self) -> bool:
        """Whether no ratings are learned."""
        return self.loss_name != "squared"

    def init(self, draws: Draws) -> Params:
        """Return fresh item vectors."""
        return self.items.init(draws)

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users*, shape (len(users), dim)."""
        rows = normal_rows(draws.child("user"), np.asarray(users, np.int64), self.dim, self.sd)
        return {"user": torch.from_numpy(rows)}

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return the products of user and item vectors; *users* and *items* broadcast.

        An elementwise product and a sum over the last axis: that gives the same bits for one
        phone as for a cohort, which a matrix product does not. A few users at a time, as the
        product of many does not fit into the processor's cache.
        """
        rows = max(1, _BLOCK // (self.dim * max(1, items.shape[-1] if items.dim() else 1)))
        if users.dim() != 2 or items.dim() != 2 or len(users) <= rows:
            return self._score(self._user(params, users), self.items.lookup(params, items))
        shared = self.items.lookup(params, items) if len(items) == 1 else None
        parts = []
        with one_thread():
            for start in range(0, len(users), rows):
                some = slice(start, start + rows)
                item = self.items.lookup(params, items[some]) if shared is None else shared
                parts.append(self._score(self._user(params, users[some]), item))
        return torch.cat(parts)

    def score_vectors(
        self, params: Params, users: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """Return the products of users' vectors with these, ``users.shape + (dim,)``."""
        return self._score(self._user(params, users), vectors)

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each example with its negatives, shape (batch,)."""
        return self.total(self.pair_losses(params, batch), params, batch)

    def pair_losses(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each item and negative, (batch, 1 + k), absent ones included."""
        user = self._user(params, batch.users)[:, None]
        item = self.items.lookup(params, _pairs(batch).clamp(min=0))
        scores = self._score(user, item)
        labels = torch.zeros_like(scores)
        match self.loss_name:
            case "log":
                labels[:, 0] = 1
                return log_loss(scores, labels)
            case "bpr":
                return torch.nn.functional.pad(bpr(scores[:, :1], scores[:, 1:]), (1, 0))
            case "squared":
                labels[:, 0] = batch.labels
                return squared_error(scores, labels)

    def total(self, each: torch.Tensor, params: Params, batch: Batch) -> torch.Tensor:
        """Return the sums of *each* pair's loss and regulariser, without absent ones, (batch,)."""
        ids = _pairs(batch)
        if self.l2:
            user = self._user(params, batch.users)[:, None]
            item = self.items.lookup(params, ids.clamp(min=0))
            each = each + self.l2 / 2 * (user.square().sum(-1) + item.square().sum(-1))
        return (each * (ids >= 0).to(torch.float32)).sum(-1)

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* pairs of a user and an item take.

        Of each pair: 2 dim flops for the score, 2 dim for the user's gradient, 2 dim for the
        item's step, 8 for the logistic function; the user stays in the cache. What the item's
        vector takes is the table's. In memory at once: the table, its rows and 8 bytes a pair.
        """
        table = self.items.cost(examples)
        return Cost(
            flops=table.flops + examples * (6 * self.dim + 8),
            moved_bytes=table.moved_bytes,
            ram_bytes=table.ram_bytes + 8 * examples,
        )

    def ship(self, params: Params) -> Shipped:
        """Return the item vectors as a graph, and the users' vectors that it takes."""
        return Shipped(scoring_table(self.items, params), params["user"].numpy())

    def _user(self, params: Params, users: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.embedding(users, params["user"])

    def _score(self, user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        return (user * item).sum(-1)


def _pairs(batch: Batch) -> torch.Tensor:
    """Return the items of each example and its negatives, (batch, 1 + k)."""
    ids = batch.items[:, None]
    return ids if batch.negatives is None else torch.cat([ids, batch.negatives], dim=1)


class MFSection(Section):
    """Matrix factorisation: the product of a user's private and an item's shared vector."""

    choices: ClassVar = {"table": ("table", "dense")}

    dim: PositiveInt = 32
    """The length of a vector."""
    loss: Literal["log", "bpr"] = "log"
    """What was chosen is 1 and a negative 0; or each negative against the item."""
    l2: NotNegative = 0.0
    """The weight of the squares of the vectors, for every item of every example."""
    table: Section = DenseSection()
    """Where item vectors come from."""


def build(section: MFSection, task: TaskData) -> MF:
    """Return matrix factorisation of the items of *task*."""
    n = task.split.n_items
    table = table_of(section.table, n, section.dim)
    return MF(n, section.dim, section.loss, section.l2, table=table)


METHOD = Method(
    kind="recommender",
    name="mf",
    section=MFSection,
    build=build,
    source="Koren, Bell, Volinsky: Matrix Factorization Techniques (IEEE Computer 2009)",
    gives=frozenset({"mf", "item-table", "user-vector", "ships", "central", "device-step"}),
)
