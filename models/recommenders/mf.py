"""Matrix factorisation: a private vector for each user, a shared one for each item."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import torch

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Batch, Context, EmbeddingTable, Params
from droidloop.models.numerics.losses import bpr, log_loss, squared_error
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.tables.choose import table_of
from droidloop.models.tables.dense import DenseSection
from droidloop.platform.registry import Method
from droidloop.platform.section import NotNegative, Section, Size

from .vector_model import UserAndItemVectors, pairs_of, table_for

Loss = Literal["log", "bpr", "squared"]

_BLOCK = 1 << 18
"""Numbers in a product of vectors, 1 MiB."""


@dataclass(frozen=True)
class MF(UserAndItemVectors):
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
        table = table_for(self.table, self.n_items, self.dim, self.sd)
        object.__setattr__(self, "tables", {table.name: table})

    @property
    def needs_negatives(self) -> bool:
        """Whether no ratings are learned."""
        return self.loss_name != "squared"

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
            return self._score(self.user(params, users), self.items.lookup(params, items))
        shared = self.items.lookup(params, items) if len(items) == 1 else None
        parts = []
        with one_thread():
            for start in range(0, len(users), rows):
                some = slice(start, start + rows)
                item = self.items.lookup(params, items[some]) if shared is None else shared
                parts.append(self._score(self.user(params, users[some]), item))
        return torch.cat(parts)

    def score_vectors(
        self, params: Params, users: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """Return the products of users' vectors with these, ``users.shape + (dim,)``."""
        return self._score(self.user(params, users), vectors)

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each example with its negatives, shape (batch,)."""
        return self.total(self.pair_losses(params, batch), params, batch)

    def pair_losses(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each item and negative, (batch, 1 + k), absent ones included."""
        user = self.user(params, batch.users)[:, None]
        item = self.items.lookup(params, pairs_of(batch).clamp(min=0))
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
        ids = pairs_of(batch)
        if self.l2:
            user = self.user(params, batch.users)[:, None]
            item = self.items.lookup(params, ids.clamp(min=0))
            each = each + self.l2 / 2 * (user.square().sum(-1) + item.square().sum(-1))
        return (each * (ids >= 0).to(torch.float32)).sum(-1)

    def _score(self, user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
        return (user * item).sum(-1)


class MFSection(Section):
    """Matrix factorisation: the product of a user's private and an item's shared vector."""

    choices: ClassVar = {"table": ("table", "dense")}

    dim: Size = 32
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
