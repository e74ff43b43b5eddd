"""The hashing trick: ids share the rows of a smaller table.

Weinberger, Dasgupta, Langford, Smola, Attenberg: Feature Hashing for Large Scale Multitask Learning
(ICML 2009). The row of an id is its remainder, which spreads ids numbered from 0 as evenly as can
be; it is what quotient-remainder tables are held to (Shi et al., KDD 2020).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array
from droidloop.platform.registry import Method
from droidloop.platform.section import CountOrNone, Section

from .row_table import RowTable


@dataclass(frozen=True)
class HashedTable(RowTable):
    """*n* ids on *buckets* vectors of *dim* numbers, drawn from N(0, *sd*): e_x = W[x mod buckets].

    >>> HashedTable(3706, 64, 122).nbytes
    31232
    """

    buckets: int

    def __post_init__(self) -> None:
        if not 1 <= self.buckets <= max(1, self.n) or self.dim < 1 or self.sd < 0:
            raise ValueError(f"no {self.n} ids share {self.buckets} rows of {self.dim}, {self.sd}")

    @property
    def parameters(self) -> dict[str, Parameter]:
        """One row for each bucket."""
        return {self.name: Parameter((self.buckets, self.dim), by_row=True)}

    @property
    def plain(self) -> bool:
        """A vector is a row, though not its id's alone."""
        return True

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the bucket of each id."""
        return {self.name: np.where(ids < 0, -1, ids % self.buckets)}

    @property
    def flops(self) -> int:
        """Nothing: a vector is a row."""
        return 0

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"hsh1"

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that scores the buckets and repeats the scores."""
        return f"{__name__}:Scorer", {
            "table": params[self.name].detach().numpy(),
            "n": np.array([self.n], np.int32),
        }


class Scorer(nn.Module):
    """Scores every bucket for one user; item x has the score of bucket x mod buckets."""

    table: torch.Tensor

    def __init__(self, table: torch.Tensor, n: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("table", table)
        self._n = int(n[0])

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        scores = nn.functional.linear(user, self.table)
        return {"scores": scores.tile(1, -(-self._n // len(self.table)))[:, : self._n]}


class HashedSection(Section):
    """Items share the vectors of a smaller table: item x has row x mod buckets."""

    buckets: CountOrNone = 0
    """How many vectors there are; 0: one for four items."""


def build(
    section: HashedSection, n: int, dim: int, *, name: str = "item", sd: float
) -> HashedTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    return HashedTable(n, dim, min(n, section.buckets or -(-n // 4)), name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="hashed",
    section=HashedSection,
    build=build,
    source="Weinberger et al., Feature Hashing for Large Scale Multitask Learning, ICML 2009",
    gives=frozenset({"plain"}),
)
