"""A recommender of users' and items' vectors, short to write: say how a vector is scored."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import (
    Batch,
    Context,
    Cost,
    EmbeddingTable,
    Params,
    Recommender,
)
from droidloop.models.numerics.losses import log_loss
from droidloop.models.packages.exportable import scoring_table
from droidloop.models.packages.shipped import Shipped
from droidloop.models.tables.choose import table_of
from droidloop.models.tables.dense import DenseSection, DenseTable
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.section import Section, Size


def pairs_of(batch: Batch) -> torch.Tensor:
    """Return the items of each example and its negatives, (batch, 1 + k)."""
    ids = batch.items[:, None]
    return ids if batch.negatives is None else torch.cat([ids, batch.negatives], dim=1)


def table_for(given: EmbeddingTable | None, n: int, dim: int, sd: float) -> EmbeddingTable:
    """Return the table that is *given*, else a dense one.

    Raises:
        ValueError: it has not *n* vectors of *dim* numbers.
    """
    table = given or DenseTable(n, dim, sd=sd)
    if (table.n, table.dim) != (n, dim):
        raise ValueError(f"a table of {table.n} x {table.dim} for {n} x {dim}")
    return table


def on_tables(model: Recommender, tables: Mapping[str, EmbeddingTable]) -> Recommender:
    """Return *model* on other *tables*, by the name of those that they stand for."""
    changed: Any = model
    if len(model.tables) > 1:  # one that has several says what they are for
        several: Recommender = changed.on(tables)
        return several
    for table in tables.values():
        changed = replace(changed, table=table)
    found: Recommender = changed
    return found


def in_step(model: Recommender, draws: Draws, row: int, counter: int) -> Recommender:
    """Return *model* on its tables as one step of training sees them; see ``EmbeddingTable``."""
    now = {name: one.in_step(draws, row, counter) for name, one in model.tables.items()}
    changed = {name: one for name, one in now.items() if one is not model.tables[name]}
    return on_tables(model, changed) if changed else model


class UserAndItemVectors:
    """What recommenders with a private vector for each user and a table of items share.

    A recommender gives ``score_vectors``, and ``dense`` and ``init`` where more is shared than the
    table. What it takes for granted is that its score is a product of the item's vector with one
    that ``shipped_users`` gives; one that is not has a ``ship`` of its own.

    Attributes:
        tables: the table where item vectors come from, by its name.
        n_items: how many items there are.
        dim: the length of a vector.
        sd: standard deviation of the first vectors of users.
    """

    tables: dict[str, EmbeddingTable]
    n_items: int
    dim: int
    sd: float

    @property
    def dense(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the shared parameters that are no table's, by name."""
        return {}

    def score_vectors(
        self, params: Params, users: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """Return the scores of items of these *vectors*, logits; all broadcasts."""
        return (self.user(params, users) * vectors).sum(-1)

    def shipped_users(self, params: Params) -> torch.Tensor:
        """Return what each item's vector is multiplied with on a phone, (users, dim)."""
        return params["user"]

    @property
    def flops(self) -> int:
        """What the score of a pair takes beside the table.

        2 dim for the score, 2 dim for the user's gradient, 2 dim for the item's step, 8 for the
        logistic function.
        """
        return 6 * self.dim + 8

    @property
    def items(self) -> EmbeddingTable:
        """The table of item vectors."""
        [table] = self.tables.values()
        return table

    @property
    def needs_negatives(self) -> bool:
        """What was chosen teaches nothing without what was not."""
        return True

    def init(self, draws: Draws) -> Params:
        """Return fresh item vectors."""
        return self.items.init(draws)

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users*, (len(users), dim)."""
        rows = normal_rows(draws.child("user"), np.asarray(users, np.int64), self.dim, self.sd)
        return {"user": torch.from_numpy(rows)}

    def user(self, params: Params, users: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *users*, ``users.shape + (dim,)``."""
        return torch.nn.functional.embedding(users, params["user"])

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return the scores of *items*; *users* and *items* broadcast."""
        return self.score_vectors(params, users, self.items.lookup(params, items))

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the logistic loss of each example with its negatives, (batch,)."""
        ids = pairs_of(batch)
        scores = self.score(params, batch.users[:, None], ids.clamp(min=0))
        labels = torch.zeros_like(scores)
        labels[:, 0] = 1
        return (log_loss(scores, labels) * (ids >= 0).to(torch.float32)).sum(-1)

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* pairs of a user and an item take.

        The user stays in the cache. What the item's vector takes is the table's. In memory at once:
        the table, its rows and 8 bytes a pair.
        """
        table = self.items.cost(examples)
        return Cost(
            flops=table.flops + examples * self.flops,
            moved_bytes=table.moved_bytes,
            ram_bytes=table.ram_bytes + 8 * examples,
        )

    def ship(self, params: Params) -> Shipped:
        """Return the item vectors as a graph, and what phones multiply them with."""
        return Shipped(scoring_table(self.items, params), self.shipped_users(params).numpy())


@dataclass(frozen=True)
class VectorModel(UserAndItemVectors):
    """A private vector for each user, ``user``, a shared one for each item in *table*.

    Attributes:
        table: where item vectors come from.
        sd: standard deviation of the first vectors of users.
    """

    table: EmbeddingTable
    sd: float = 0.1
    tables: dict[str, EmbeddingTable] = field(init=False, repr=False)
    n_items: int = field(init=False, repr=False)
    dim: int = field(init=False, repr=False)
    private: frozenset[str] = field(init=False, repr=False, default=frozenset({"user"}))

    def __post_init__(self) -> None:
        object.__setattr__(self, "tables", {self.table.name: self.table})
        object.__setattr__(self, "n_items", self.table.n)
        object.__setattr__(self, "dim", self.table.dim)


class VectorSection(Section):
    """The keys of a recommender of vectors."""

    choices: ClassVar = {"table": ("table", "dense")}

    dim: Size = 32
    """The length of a vector."""
    table: Section = DenseSection()
    """Where item vectors come from."""

    def items(self, task: TaskData) -> EmbeddingTable:
        """Return the table of the items of *task*."""
        return table_of(self.table, task.split.n_items, self.dim)
