"""A factorisation machine: every two features of a user and an item meet in a product.

Rendle, Factorization Machines (ICDM 2010): y = w0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j,
computed in time linear in the number of features, as half of (sum v x)^2 - sum (v x)^2. A field is
a group of features of which one is there (the user, the item, the age), or some, each with an equal
part of 1 (the genres).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from droidloop.models.data.fields import Fields, has_movielens_fields, movielens_fields
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Batch, Context, Cost, EmbeddingTable, Params
from droidloop.models.numerics.losses import log_loss
from droidloop.models.packages.exportable import builder_of, scoring_on
from droidloop.models.packages.shipped import Shipped
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method

from .vector_model import UserAndItemVectors, VectorSection, pairs_of

USER, ITEM, FLAG = "user", "item", "flag"


class Side(NamedTuple):
    """What the features of users, or of items, add up to.

    Attributes:
        vector: the sum of v x, (..., dim).
        score: of their weights and of all pairs among themselves, (...).
    """

    vector: torch.Tensor
    score: torch.Tensor


@dataclass(frozen=True, eq=False)
class FM(UserAndItemVectors):
    """Scores (logits) by a factorisation machine on ids and feature fields.

    Parameters: those of ``tables``, one for each field (``item``, ``flag``, the names of the user's
    fields), ``NAME_weight`` (features,) for each, ``offset`` (1,); private ``user`` (users, dim)
    and ``user_weight`` (users,), unless there is a table for users: then all users are shared.

    Attributes:
        table: where item vectors come from.
        fields: features of users and items.
        given: tables of further fields by their name (``user``, ``flag``, ...); dense where none
            is given, but for users.
        sd: standard deviation of the first vectors.
    """

    table: EmbeddingTable
    fields: Fields = field(default_factory=Fields)
    given: Mapping[str, EmbeddingTable] = field(default_factory=dict)
    sd: float = 0.1
    tables: dict[str, EmbeddingTable] = field(init=False, repr=False)
    n_items: int = field(init=False, repr=False)
    dim: int = field(init=False, repr=False)
    private: frozenset[str] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        sizes = dict(self.fields.sizes)
        if self.fields.items is not None:
            sizes[FLAG] = self.fields.items.shape[1]
        tables: dict[str, EmbeddingTable] = {ITEM: self.table}
        for name, size in sizes.items():
            tables[name] = DenseTable(size, self.table.dim, name=name, sd=self.sd)
        tables |= self.given
        for name, one in tables.items():
            if one.name != name or one.dim != self.table.dim or one.n != sizes.get(name, one.n):
                raise ValueError(f"a table {one.name!r} of {one.n} x {one.dim} for field {name!r}")
        own = () if USER in tables else (USER, f"{USER}_weight")
        object.__setattr__(self, "tables", tables)
        object.__setattr__(self, "n_items", self.table.n)
        object.__setattr__(self, "dim", self.table.dim)
        object.__setattr__(self, "private", frozenset(own))

    def on(self, tables: Mapping[str, EmbeddingTable]) -> "FM":
        """Return the same model on other *tables* of some fields, by name."""
        others = {name: one for name, one in tables.items() if name != ITEM}
        table = tables.get(ITEM, self.table)
        return replace(self, table=table, given={**self.given, **others})

    @property
    def items(self) -> EmbeddingTable:
        """The table of item vectors."""
        return self.tables[ITEM]

    @property
    def dense(self) -> dict[str, tuple[int, ...]]:
        """The weights, the offset and what the other fields' tables have, by name."""
        found: dict[str, tuple[int, ...]] = {"offset": (1,)}
        for name, table in self.tables.items():
            found[f"{name}_weight"] = (table.n,)
            if name != ITEM:
                found |= {key: one.shape for key, one in table.parameters.items()}
        return found

    def init(self, draws: Draws) -> Params:
        """Return fresh vectors; weights and offset of 0."""
        params = {"offset": torch.zeros(1)}
        for name, table in self.tables.items():
            params |= table.init(draws)
            params[f"{name}_weight"] = torch.zeros(table.n)
        return params

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh vectors of *users*, (len(users), dim), and weights; none if shared."""
        if not self.private:
            return {}
        made = super().init_private(draws, users)
        return {**made, f"{USER}_weight": torch.zeros(len(users))}

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return scores; *users* and *items* broadcast."""
        user, item = self.user_side(params, users), self.item_side(params, items)
        return user.score + item.score + (user.vector * item.vector).sum(-1) + params["offset"][0]

    def every_score(self, params: Params, users: torch.Tensor) -> torch.Tensor:
        """Return the scores of all items for *users*, (users, n_items), by a product of matrices.

        Its last bits may differ from those of ``score``.
        """
        user, item = (
            self.user_side(params, users),
            self.item_side(params, torch.arange(self.n_items)),
        )
        alone = user.score[:, None] + item.score + params["offset"][0]
        return alone + user.vector @ item.vector.T

    def user_side(self, params: Params, users: torch.Tensor) -> Side:
        """Return what the features of *users* add up to."""
        if self.private:
            first = nn.functional.embedding(users, params[USER])
        else:
            first = self.tables[USER].lookup(params, users)
        vectors, weight = [first], params[f"{USER}_weight"][users]
        for name, values in self.fields.users.items():
            there = torch.from_numpy(values)[users]
            vectors.append(self.tables[name].lookup(params, there))
            weight = weight + params[f"{name}_weight"][there]
        return _side(vectors, [one.square().sum(-1) for one in vectors], weight)

    def item_side(self, params: Params, items: torch.Tensor) -> Side:
        """Return what the features of *items* add up to."""
        own, weight = self.items.lookup(params, items), params[f"{ITEM}_weight"][items]
        vectors, squares = [own], [own.square().sum(-1)]
        if self.fields.items is not None:
            every = self.tables[FLAG].lookup(params, torch.arange(self.tables[FLAG].n))
            share = self.flag_shares
            vectors.append((share @ every)[items])
            squares.append((share.square() @ every.square().sum(-1))[items])
            weight = weight + (share @ params[f"{FLAG}_weight"])[items]
        return _side(vectors, squares, weight)

    @property
    def flag_shares(self) -> torch.Tensor:
        """The x of each flag of each item: 1 by the number of its flags, (n_items, flags)."""
        assert self.fields.items is not None
        flags = torch.from_numpy(self.fields.items)
        return flags / flags.sum(1, keepdim=True).clamp(min=1)

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the log loss of each item's label, and of negatives as not liked, (batch,).

        Labels are 1 or 0.
        """
        ids = pairs_of(batch)
        scores = self.score(params, batch.users[:, None], ids.clamp(min=0))
        labels = torch.zeros_like(scores)
        labels[:, 0] = batch.labels
        return (log_loss(scores, labels) * (ids >= 0).to(torch.float32)).sum(-1)

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* pairs take.

        Of each field, forward: 4 dim for its vector and its square, and twice as much backward;
        its vector is read twice and written once. What the item's vector takes is its table's.
        """
        table, fields = self.items.cost(examples), len(self.tables) + bool(self.private)
        return Cost(
            flops=table.flops + examples * (12 * self.dim * fields + 8),
            moved_bytes=table.moved_bytes + 12 * self.dim * (fields - 1) * examples,
            ram_bytes=table.ram_bytes + 8 * examples,
        )

    def shipped_users(self, params: Params) -> torch.Tensor:
        """Return the sums of users' vectors; what is the same for all items is left out."""
        return self.user_side(params, torch.arange(len(params[f"{USER}_weight"]))).vector

    def ship(self, params: Params) -> Shipped:
        """Return items as their table ships, with a number an item, and the flags of each."""
        kind, inner = self.items.scorer(params)
        every = self.item_side(params, torch.arange(self.n_items)).score
        constants = {f"table_{name}": array for name, array in inner.items()}
        constants["kind"] = np.array(list(kind.encode()), np.uint8)
        constants["alone"] = every.detach().numpy()
        if self.fields.items is not None:
            constants["flags"] = self.fields.items.astype(np.int8)
            of_flags = self.tables[FLAG].lookup(params, torch.arange(self.tables[FLAG].n))
            constants["flag"] = of_flags.detach().numpy()
        graph = scoring_on(f"{__name__}:Scorer", constants, self.n_items, self.dim)
        return Shipped(graph, self.shipped_users(params).detach().numpy())


def _side(vectors: list[torch.Tensor], squares: list[torch.Tensor], weight: torch.Tensor) -> Side:
    total = torch.stack(vectors).sum(0)
    pairs = (total.square().sum(-1) - torch.stack(squares).sum(0)) / 2
    return Side(total, weight + pairs)


class Scorer(nn.Module):
    """Scores every item for one user: by its table, by its flags, and by what it is alone."""

    alone: torch.Tensor

    def __init__(self, kind: torch.Tensor, alone: torch.Tensor, **constants: torch.Tensor) -> None:
        super().__init__()
        inner = {name: one for name, one in constants.items() if name.startswith("table_")}
        made = builder_of(bytes(kind.tolist()).decode())
        self.inner = made(**{name.removeprefix("table_"): one for name, one in inner.items()})
        self.register_buffer("alone", alone)
        self._flags = "flags" in constants
        for name in constants.keys() - inner.keys():
            self.register_buffer(name, constants[name])

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        scores = self.inner(user)["scores"] + self.alone
        if self._flags:
            flags = self.get_buffer("flags").to(torch.float32)
            each = nn.functional.linear(user, self.get_buffer("flag"))
            count = flags.sum(1).clamp(min=1)
            scores = scores + nn.functional.linear(each, flags) / count
        return {"scores": scores}


class FMSection(VectorSection):
    """A factorisation machine: user and item, and the genres where the data have them."""


def build(section: FMSection, task: TaskData) -> FM:
    """Return the model on the items of *task*.

    Genres are read where MovieLens' ``u.user`` and ``u.item`` lie beside the data. What is known
    of users is left out: a phone has one user, whose vector holds it.
    """
    fields, data = Fields(), task.interactions
    if task.path is not None and has_movielens_fields(Path(task.path)):
        read = movielens_fields(Path(task.path), data.user_labels, data.item_labels)
        fields = Fields(items=read.items)
    return FM(section.items(task), fields)


METHOD = Method(
    kind="recommender",
    name="fm",
    section=FMSection,
    build=build,
    source="Rendle: Factorization Machines (ICDM 2010)",
    gives=frozenset({"fm", "item-table", "user-vector", "ships"}),
)
