"""The interfaces that a learning method fills in; ``Messages`` is all that crosses a link.

Everything is written for cohorts: an array has the phone axis first where it has one, ragged data
are values and offsets, one phone is a cohort of one. Nothing here knows a clock, a battery or a
link. Functions, not interfaces, are: fitting (central training, search, distillation), patching,
selection and observation.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.platform.arrays import Array, BoolArray, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.state import Tree, kept_value

from .forms import Form

Ids = IntArray | Int32Array
"""Ids or row numbers, of either width."""

Params = dict[str, torch.Tensor]
"""Named parameters. A table is (n, dim); stacked for a cohort it is (phones, n, dim)."""

kept_value(torch.Tensor, lambda tensor: tensor.detach().numpy(), torch.from_numpy)


@kept_value
@dataclass(frozen=True)
class Cost:
    """What a computation takes, by phone or for all: energy and time are never invented.

    Attributes:
        flops: floating-point operations, int or int64 array (phones,).
        moved_bytes: memory traffic, likewise.
        ram_bytes: peak memory of the computation's data, likewise; without the process itself.
        operators: of a network, dispatched one after the other, likewise; 0 for plain loops.
    """

    flops: int | IntArray
    moved_bytes: int | IntArray
    ram_bytes: int | IntArray
    operators: int | IntArray = 0

    def take(self, phones: IntArray) -> "Cost":
        """Return the cost of some of the phones, by place; it has a value for each."""
        return Cost(*(np.asarray(getattr(self, one.name))[phones] for one in fields(self)))


@dataclass(frozen=True)
class Context:
    """What sequence and feature models read beside ids; the first axis is that of the users.

    Attributes:
        history: item ids, oldest first, (batch, length), -1 where there is none.
        features: named columns such as the hour, the place or the gender, (batch, ...).
    """

    history: torch.Tensor | None = None
    features: dict[str, torch.Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Batch:
    """Training examples: users by row number, what they chose and what they did not.

    Attributes:
        users: (batch,).
        items: the chosen items, (batch,).
        labels: the ratings, 1 where the source has none, (batch,), float32.
        negatives: items that stand for what was not chosen, (batch, k); -1 where there is none.
        context: for the models that read one.
    """

    users: torch.Tensor
    items: torch.Tensor
    labels: torch.Tensor
    negatives: torch.Tensor | None = None
    context: Context | None = None


@kept_value
@dataclass(frozen=True)
class Cohort:
    """The phones that do the same thing now.

    ``private`` holds the rows of the private store that belong to these phones, gathered (a copy):
    a rule writes its result there, and the protocol commits the rows of the phones that got so far.
    """

    phones: IntArray
    round: int
    private: dict[str, Array]

    def __len__(self) -> int:
        return len(self.phones)


@dataclass(frozen=True)
class Parameter:
    """A shared parameter and how it is read.

    Attributes:
        shape: without the axis of phones.
        by_row: whether an id reads single rows of it, those of ``EmbeddingTable.rows_of``; else
            every id reads all of it, as the weights of a network.
        trained: whether training moves it; masks and codes that were found once only ship.
    """

    shape: tuple[int, ...]
    by_row: bool = False
    trained: bool = True

    @property
    def row_numbers(self) -> int:
        """How many numbers one row has."""
        return math.prod(self.shape[1:])


class EmbeddingTable(Protocol):
    """Turns ids into vectors under a byte budget (dense, hashed, pruned, binary, ...).

    A table says which rows of which parameters an id reads, and what makes a vector of them. That
    is all a learning rule needs: it trains the rows that its examples read, and sends those.

    A table owns the parameters whose names start with its own. Phones may hold tables of several
    sizes: each size is a table object of its own, whose parameters have the same names, so that
    the rows which a phone with the smaller one sends are rows of the larger.
    """

    @property
    def name(self) -> str:
        """The name that its parameters start with."""
        ...

    @property
    def n(self) -> int:
        """How many ids there are."""
        ...

    @property
    def dim(self) -> int:
        """The length of a vector."""
        ...

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All its parameters by name."""
        ...

    @property
    def plain(self) -> bool:
        """Whether a vector is one row of its one parameter, as it stands.

        That is what compiled kernels train.
        """
        ...

    @property
    def nbytes(self) -> int:
        """What ships, without the header of ``pack``."""
        ...

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the rows that *ids* read, of every parameter that is read by row.

        Of shape ``ids.shape``, or ``ids.shape + (k,)`` where an id reads k rows. An id below 0 is
        none and reads the row -1.
        """
        ...

    def computed(self, ids: Ids) -> Params:
        """Return what is computed of *ids* alone, such as hashes: not stored, sent or trained.

        The names start with the table's and are none of ``parameters``.
        """
        ...

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the vectors that *parts* make, shape ``ids.shape + (dim,)``.

        *parts* are, of each parameter that is read by row, the rows of ``rows_of`` of some ids,
        all of every other one, and what is ``computed`` of those ids.
        """
        ...

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors of shape ``ids.shape + (dim,)``, differentiable in *params*.

        With stacked parameters *ids* have the phone axis first, too.
        """
        ...

    def in_step(self, draws: Draws, row: int, counter: int) -> "EmbeddingTable":
        """Return the table, of the same parameters, as one step of training sees it: by chance."""
        ...

    def init(self, draws: Draws) -> Params:
        """Return fresh parameters."""
        ...

    def pack(self, params: Params) -> bytes:
        """Return what ships: values with the masks, indexes and codes that they need."""
        ...

    def unpack(self, data: bytes) -> Params:
        """Return the parameters that *data* holds; inverse of ``pack``.

        Raises:
            PackageError: *data* is not what this table's ``pack`` returns.
        """
        ...

    def cost(self, lookups: int | IntArray) -> Cost:
        """Return what looking up and training so many vectors takes, beside what is done with them.

        The memory is that of the table and of the rows that are trained.
        """
        ...

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return what scores every id in a ``.tflite`` file: a builder, and its constants.

        The builder (``module:function``, or a name of ``exportable.BUILDERS``) makes of the
        constants, by name, a torch module from ``user``, (1, dim), to
        ``{"scores": (1, n)}``, the products with all vectors. The file is as small as the
        constants: what is computed from them depends on ``user``, so that no converter folds it.
        """
        ...


class Recommender(Protocol):
    """Tables and a scorer; functions of (params, batch), no hidden state."""

    @property
    def tables(self) -> dict[str, EmbeddingTable]:
        """The shared tables by name."""
        ...

    @property
    def private(self) -> frozenset[str]:
        """Names of the parameters that never leave the phone; checked on every link."""
        ...

    def init(self, draws: Draws) -> Params:
        """Return fresh shared parameters."""
        ...

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return fresh private parameters of *users*, user axis first; empty if none is private.

        A user's values do not depend on who else is asked for.
        """
        ...

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return scores (logits); *users* and *items* broadcast against one another."""
        ...

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each example with its negatives, shape (batch,)."""
        ...

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* take."""
        ...


class ItemRecommender(Recommender, Protocol):
    """A recommender whose shared part is one table of items and, maybe, dense parameters."""

    @property
    def n_items(self) -> int:
        """How many items there are."""
        ...

    @property
    def dim(self) -> int:
        """The length of an item's vector."""
        ...

    @property
    def items(self) -> EmbeddingTable:
        """The table of item vectors."""
        ...

    @property
    def dense(self) -> dict[str, tuple[int, ...]]:
        """The shapes of the shared parameters that are no table's, by name."""
        ...

    @property
    def needs_negatives(self) -> bool:
        """Whether items that were chosen teach nothing without others that were not."""
        ...

    def score_vectors(
        self, params: Params, users: torch.Tensor, vectors: torch.Tensor
    ) -> torch.Tensor:
        """Return scores of items of these *vectors*, ``users.shape + (dim,)`` or broadcasting."""
        ...


class ClientRule(Protocol):
    """What a phone does in one step, for a cohort; honest or not."""

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train on local *data* (row k belongs to phone k); write ``cohort.private``; send."""
        ...

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what that step takes on each phone."""
        ...


class ServerRule(Protocol):
    """An aggregator with memory."""

    @property
    def version(self) -> int:
        """How many changes the shared parameters have seen."""
        ...

    @property
    def params(self) -> Params:
        """The shared parameters of ``version``; never changed in place."""
        ...

    @property
    def form(self) -> Form:
        """What it takes; whatever is not of this form is refused before ``absorb`` sees it."""
        ...

    def broadcast(self, phones: IntArray) -> Sequence[Messages]:
        """Return what *phones* receive at the start of a step: one batch per distinct content.

        Changes nothing on phones, and nothing that hangs on its arrival: whom it reaches is not
        known yet.

        Together the batches address each phone once. Most rules send one batch to all; rules
        with clusters or tables of several sizes send one for each.
        """
        ...

    def absorb(self, messages: Messages) -> BoolArray:
        """Fold *messages* in, shard by shard; return which ones were accepted, shape (m,)."""
        ...

    def close(self) -> None:
        """End the step: apply what was absorbed; ``version`` grows if anything was."""
        ...

    def state(self) -> dict[str, Tree]:
        """Return what it remembers; see ``platform.state.Stateful``, from which rules derive."""
        ...

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Remember what *tree* says, of which ``state`` was made by a rule built alike."""
        ...


def init_all(recommender: Recommender, draws: Draws, n_users: int) -> Params:
    """Return fresh parameters for central use: the shared ones and those of all *n_users*."""
    users = np.arange(n_users)
    return recommender.init(draws) | recommender.init_private(draws, users)


def check_private(messages: Messages, recommender: Recommender) -> Messages:
    """Return *messages* if they hold nothing private; every link sends through this.

    Raises:
        ValueError: an array has the name of a private parameter.
    """
    leaked = sorted(recommender.private & (messages.arrays.keys() | messages.rows.keys()))
    if leaked:
        raise ValueError(f"private parameter {leaked[0]!r} in a message of kind {messages.kind!r}")
    return messages


def shared_parameters(recommender: ItemRecommender) -> dict[str, Parameter]:
    """Return all shared parameters by name, those of the table first."""
    dense = {name: Parameter(shape) for name, shape in recommender.dense.items()}
    return {**recommender.items.parameters, **dense}
