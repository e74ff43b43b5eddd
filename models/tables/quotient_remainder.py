"""The quotient-remainder table: a vector is put together from two rows that only its id has both.

Shi, Mudigere, Naumov, Yang: Compositional Embeddings Using Complementary Partitions for
Memory-Efficient Recommendation Systems (KDD 2020).
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array
from droidloop.platform.registry import Method
from droidloop.platform.section import CountOrNone, Section

from .row_table import RowTable

Operation = Literal["multiply", "add", "concat"]

_MAGIC = {"multiply": b"qrm1", "add": b"qra1", "concat": b"qrc1"}


@dataclass(frozen=True)
class QuotientRemainderTable(RowTable):
    """*n* vectors e_x = R[x mod remainders] (op) Q[x div remainders], of *dim* numbers.

    Parameters: ``name_remainder`` and ``name_quotient``. Joined end to end (``concat``) each gives
    half of a vector, the remainder the smaller half. Rows are drawn so that the numbers of a
    vector have the standard deviation *sd*: the product of two that have its root has it.

    >>> QuotientRemainderTable(3706, 64, 61).nbytes
    31232
    """

    remainders: int
    operation: Operation = "multiply"

    def __post_init__(self) -> None:
        if self.operation not in get_args(Operation):
            raise ValueError(f"{self.operation!r} is none of {', '.join(get_args(Operation))}")
        least = 2 if self.operation == "concat" else 1
        if not 1 <= self.remainders <= max(1, self.n) or self.dim < least or self.sd < 0:
            raise ValueError(
                f"no {self.n} vectors of {self.dim} numbers have {self.remainders} remainders"
            )

    @property
    def quotients(self) -> int:
        """How many rows the quotients have."""
        return -(-self.n // self.remainders)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """A row for each remainder and one for each quotient."""
        half = self.dim // 2
        widths = (half, self.dim - half) if self.operation == "concat" else (self.dim, self.dim)
        return {
            self._remainder: Parameter((self.remainders, widths[0]), by_row=True),
            self._quotient: Parameter((self.quotients, widths[1]), by_row=True),
        }

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the remainder and the quotient of each id: no two ids have both."""
        remainder, quotient = ids % self.remainders, ids // self.remainders
        none = ids < 0
        return {
            self._remainder: np.where(none, -1, remainder),
            self._quotient: np.where(none, -1, quotient),
        }

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the two rows multiplied, added or joined."""
        remainder, quotient = parts[self._remainder], parts[self._quotient]
        match self.operation:
            case "multiply":
                return remainder * quotient
            case "add":
                return remainder + quotient
            case "concat":
                return torch.cat([remainder, quotient], dim=-1)

    @property
    def row_sd(self) -> float:
        """What gives the numbers of a vector the standard deviation *sd*."""
        scale = {"multiply": math.sqrt(self.sd), "add": self.sd / math.sqrt(2), "concat": self.sd}
        return scale[self.operation]

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return _MAGIC[self.operation]

    @property
    def flops(self) -> int:
        """A product takes *dim* flops and twice as many for its two gradients, a sum *dim*."""
        return {"multiply": 3 * self.dim, "add": self.dim, "concat": 0}[self.operation]

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that scores all pairs of a quotient and a remainder."""
        kind = {"multiply": "ProductScorer", "add": "SumScorer", "concat": "SumScorer"}
        return f"{__name__}:{kind[self.operation]}", {
            "remainder": params[self._remainder].detach().numpy(),
            "quotient": params[self._quotient].detach().numpy(),
            "n": np.array([self.n], np.int32),
        }

    @property
    def _remainder(self) -> str:
        return f"{self.name}_remainder"

    @property
    def _quotient(self) -> str:
        return f"{self.name}_quotient"


class ProductScorer(nn.Module):
    """Scores every item for one user: (Q * user) R^T, whose number q * remainders + r is item's.

    The product with the user comes first: it is small, and nothing that could be folded into a
    constant of n rows is left.
    """

    remainder: torch.Tensor
    quotient: torch.Tensor

    def __init__(self, remainder: torch.Tensor, quotient: torch.Tensor, n: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("remainder", remainder)
        self.register_buffer("quotient", quotient)
        self._n = int(n[0])

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        pairs = nn.functional.linear(self.quotient * user, self.remainder)
        return {"scores": pairs.reshape(1, -1)[:, : self._n]}


class SumScorer(nn.Module):
    """Scores every item for one user: of added or joined rows the scores are added.

    Joined rows are as long together as *user* is, added ones each.
    """

    remainder: torch.Tensor
    quotient: torch.Tensor

    def __init__(self, remainder: torch.Tensor, quotient: torch.Tensor, n: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("remainder", remainder)
        self.register_buffer("quotient", quotient)
        self._n = int(n[0])

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        first, last = self.remainder.shape[1], self.quotient.shape[1]
        one = nn.functional.linear(user[:, :first], self.remainder)
        other = nn.functional.linear(user[:, user.shape[1] - last :], self.quotient)
        pairs = other.reshape(-1, 1) + one
        return {"scores": pairs.reshape(1, -1)[:, : self._n]}


class QuotientRemainderSection(Section):
    """An item's vector is put together from a row of its remainder and one of its quotient."""

    remainders: CountOrNone = 0
    """How many remainders there are; 0: the root of the number of items, which takes least."""
    operation: Operation = "multiply"
    """How two rows make a vector: ``multiply``, ``add`` or ``concat`` (each gives half)."""


def build(
    section: QuotientRemainderSection, n: int, dim: int, *, name: str = "item", sd: float
) -> QuotientRemainderTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    least = math.isqrt(max(n - 1, 0)) + 1
    remainders = min(max(n, 1), section.remainders or least)
    return QuotientRemainderTable(n, dim, remainders, section.operation, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="quotient-remainder",
    section=QuotientRemainderSection,
    build=build,
    source="Shi et al., Compositional Embeddings Using Complementary Partitions, KDD 2020",
    gives=frozenset(),
)
