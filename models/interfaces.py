"""The five interfaces that a learning method fills in; with ``Messages`` they are all there is.

Everything is written for cohorts: an array has the phone axis first where it has one, ragged data
are values and offsets, one phone is a cohort of one. Nothing here knows a clock, a battery or a
link. Functions, not interfaces, are: fitting (central training, search, distillation), patching,
selection and observation.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch

from droidloop.platform.draws import Draws, IntArray
from droidloop.platform.messages import Array, Messages

from .interactions import UserItems

Params = dict[str, torch.Tensor]
"""Named parameters. A table is (n, dim); stacked for a cohort it is (phones, n, dim)."""


@dataclass(frozen=True)
class Cost:
    """What a computation takes, by phone or for all: energy and time are never invented.

    Attributes:
        flops: floating-point operations, int or int64 array (phones,).
        moved_bytes: memory traffic, likewise.
        ram_bytes: peak memory of the process, likewise.
    """

    flops: int | IntArray
    moved_bytes: int | IntArray
    ram_bytes: int | IntArray


@dataclass(frozen=True)
class Batch:
    """Training examples, users by row number: (batch,) arrays, negatives (batch, k) for BPR."""

    users: torch.Tensor
    items: torch.Tensor
    labels: torch.Tensor
    negatives: torch.Tensor | None = None


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


class EmbeddingTable(Protocol):
    """Turns ids into vectors under a byte budget (dense, hashed, pruned, binary, ...)."""

    n: int
    dim: int

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors of shape ``ids.shape + (dim,)``, differentiable in *params*."""
        ...

    def init(self, draws: Draws) -> Params:
        """Return fresh parameters."""
        ...

    def pack(self, params: Params) -> bytes:
        """Return what ships: values with the masks, indexes and codes that they need."""
        ...

    def unpack(self, data: bytes) -> Params:
        """Return the parameters that *data* holds; inverse of ``pack``."""
        ...


class Recommender(Protocol):
    """Tables and a scorer; functions of (params, batch), no hidden state."""

    tables: dict[str, EmbeddingTable]
    private: frozenset[str]
    """Names of parameters that never leave the phone; checked by name on every link."""

    def init(self, draws: Draws, n_users: int) -> Params:
        """Return fresh parameters; private ones have the user axis first."""
        ...

    def score(self, params: Params, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Return scores (logits); *users* and *items* broadcast against one another."""
        ...

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of each example, shape (batch,)."""
        ...

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what forward and backward over *examples* take."""
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

    version: int
    params: Params
    """The shared parameters of ``version``."""

    def broadcast(self, phones: IntArray) -> Messages:
        """Return what each of *phones* receives at the start of a step; may differ by phone."""
        ...

    def absorb(self, messages: Messages) -> None:
        """Fold *messages* in; called with shards of constant size, in order of phone."""
        ...

    def close(self) -> None:
        """End the step: apply what was absorbed, advance ``version``."""
        ...

    def forget(self, phones: IntArray) -> None:
        """Remove the influence of *phones*; raises NotImplementedError where a rule keeps no log."""
        ...


class Transform(Protocol):
    """Changes uploads on their way: clip, noise, quantise, encrypt, share. Transforms chain."""

    def seal(self, messages: Messages, draws: Draws) -> Messages:
        """Return what is really sent."""
        ...

    def open(self, sealed: Messages) -> Messages:
        """Return what the receiver makes of it: identity for noise, a sum for shares."""
        ...

    def spent(self) -> dict[str, Any] | None:
        """Return the privacy budget spent so far, for the ledger."""
        ...
