"""The tensor-chain table: a vector is a chain of small matrices, one for each digit of the id.

Tensor trains (Oseledets 2011; of embeddings: Hrinchuk et al., Tensorized Embedding Layers, EMNLP
2020), with the loosened match of dimensions of Xia, Yin, Yu, Wang, Xu, Nguyen: On-Device
Next-Item Recommendation with Self-Supervised Knowledge Distillation (OD-Rec, SIGIR 2022): the
semi-tensor product of A (m, n) and B (p, q) with n = p t is A (B kron I_t), so that all cores but
the first hold t^2 times fewer numbers.
"""

import math
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import Method
from droidloop.platform.section import Section, Size

from .float_rows import float_bytes, look_up_once
from .row_table import RowTable


@dataclass(frozen=True)
class TensorChainTable(RowTable):
    """*n* vectors of *dim* numbers, expanded from cores; a digit of the id reads a row of each.

    Parameters: ``name_0``, ``name_1``, ..., (digits, numbers of a small matrix). The chain spans as
    many ids as the digits' product, *n* of which are used.

    Attributes:
        rank: the columns of every small matrix but the last.
        cores: how many there are.
        loose: t, 1 for a plain tensor train; it divides rank and the last factor of *dim*.

    >>> table = TensorChainTable(3706, 64, rank=16, loose=2)
    >>> table.digits, table.factors, table.nbytes
    ((61, 61), (8, 8), 39040)
    """

    rank: int = 16
    cores: int = 2
    loose: int = 1

    def __post_init__(self) -> None:
        if min(self.n, self.dim, self.rank, self.loose) < 1 or self.cores < 2 or self.sd < 0:
            raise ValueError(f"no {self.n} vectors are chains of {self.cores} of rank {self.rank}")
        if self.rank % self.loose or self.factors[-1] % self.loose:
            raise ValueError(
                f"loose = {self.loose} divides rank {self.rank} and the last factor of "
                f"{self.dim}, {self.factors[-1]}, or the chain does not fit together"
            )

    @property
    def digits(self) -> tuple[int, ...]:
        """How many values each digit of an id has: nearly equal, their product at least *n*."""
        found: list[int] = []
        for left in range(self.cores, 0, -1):
            rest = -(-self.n // math.prod(found))
            found.append(next(k for k in range(1, rest + 1) if k**left >= rest))
        return tuple(found)

    @property
    def factors(self) -> tuple[int, ...]:
        """The factors of *dim*: nearly equal, the largest last."""
        found, rest = [], self.dim
        for left in range(self.cores, 1, -1):
            root = int(rest ** (1 / left) + 1e-9)
            found.append(next(k for k in range(root, 0, -1) if rest % k == 0))
            rest //= found[-1]
        return (*found, rest)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The small matrices of a row of each core, (rows, columns)."""
        last, shapes = self.cores - 1, []
        for core, factor in enumerate(self.factors):
            loose = self.loose if core else 1
            rows = self.rank // loose if core else 1
            shapes.append((rows, factor * (1 if core == last else self.rank) // loose))
        return shapes

    @property
    def parameters(self) -> dict[str, Parameter]:
        """A row of each core for each digit."""
        return {
            f"{self.name}_{core}": Parameter((count, rows * columns), by_row=True)
            for core, (count, (rows, columns)) in enumerate(
                zip(self.digits, self.shapes, strict=True)
            )
        }

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the digits of *ids*, the first the most significant."""
        rows, below = {}, math.prod(self.digits)
        for core, count in enumerate(self.digits):
            below //= count
            rows[f"{self.name}_{core}"] = np.where(ids < 0, -1, ids // below % count)
        return rows

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the chains multiplied out."""
        first, *rest = (parts[name] for name in self.parameters)
        ahead = first.shape[:-1]
        chain = first.reshape(*ahead, self.factors[0], -1)
        for core, rows in enumerate(rest, start=1):
            p, q = self.shapes[core]
            left = chain.reshape(*ahead, -1, p, 1, self.loose)
            small = rows.reshape(*ahead, 1, p, q, 1)
            product = (left * small).sum(-3)  # (rows of the chain, q, t)
            chain = product.reshape(*ahead, chain.shape[-2] * self.factors[core], -1)
        return chain.reshape(*ahead, self.dim)

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *ids*, each computed once; see ``EmbeddingTable.lookup``."""
        return look_up_once(self, params, ids)

    @property
    def row_sd(self) -> float:
        """What gives the numbers of a vector the standard deviation *sd*."""
        terms = (self.rank // self.loose) ** (self.cores - 1)
        return float((self.sd**2 / terms) ** (0.5 / self.cores))

    @property
    def flops(self) -> int:
        """A product and a sum of each term of the chain, and as much for each gradient."""
        total, rows = 0, self.factors[0]
        for core in range(1, self.cores):
            p, q = self.shapes[core]
            total += 2 * rows * p * q * self.loose
            rows *= self.factors[core]
        return 3 * total

    @property
    def nbytes(self) -> int:
        """Four bytes a number of the cores."""
        return float_bytes(self)

    @property
    def magic(self) -> bytes:
        """What its packed form begins with: it says how the cores match."""
        return b"ch" + bytes([self.cores, min(self.loose, 255)])

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that lets the user pass along the chain, core by core."""
        cores = {
            f"core{core}": params[name].detach().numpy().reshape(-1, *self.shapes[core])
            for core, name in enumerate(self.parameters)
        }
        chain = np.array([self.n, self.loose, *self.factors], np.int32)
        return f"{__name__}:Scorer", {"chain": chain, **cores}


class Scorer(nn.Module):
    """Scores every item for one user: the user times the first core, that times the next, ...

    No vector is written out: after a core there are as many rows as its digits have values.
    """

    def __init__(self, chain: torch.Tensor, **cores: torch.Tensor) -> None:
        super().__init__()
        self._n, self._loose = int(chain[0]), int(chain[1])
        self._factors: list[int] = chain[2:].tolist()
        for name, value in cores.items():
            self.register_buffer(name, value)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        # state: (ids so far, rank of the chain, what is left of the user)
        first = self.get_buffer("core0").reshape(-1, self._factors[0], self._rank)
        state = torch.einsum("ijr,jv->irv", first, user.reshape(self._factors[0], -1))
        for core in range(1, len(self._factors)):
            factor, small = self._factors[core], self.get_buffer(f"core{core}")
            left = state.reshape(len(state), -1, self._loose, factor, state.shape[2] // factor)
            if core < len(self._factors) - 1:
                wide = small.reshape(*small.shape[:2], factor, -1)  # (i, p, j, r')
                state = torch.einsum("npsjv,ipjr->nirsv", left, wide)
                state = state.reshape(len(left) * len(small), self._rank, -1)
            else:
                pairs = left.reshape(*left.shape[:3], -1, self._loose)  # (n, p, s, b, s)
                same = torch.diagonal(pairs, dim1=2, dim2=4).sum(-1)
                state = torch.einsum("npb,ipb->ni", same, small).reshape(-1, 1, 1)
        return {"scores": state.reshape(1, -1)[:, : self._n]}

    @property
    def _rank(self) -> int:
        return int(self.get_buffer("core0").shape[2]) // self._factors[0]


class TensorChainSection(Section):
    """An item's vector is a product of small matrices, one for each digit of its number."""

    rank: Size = 16
    """The columns of the small matrices: more tell more apart and take more."""
    cores: Annotated[int, Field(ge=2, le=8)] = 2
    """How many matrices make a vector."""
    loose: Annotated[int, Field(ge=1, le=64)] = 1
    """How many times fewer rows and columns all matrices but the first have."""


def build(
    section: TensorChainSection, n: int, dim: int, *, name: str = "item", sd: float
) -> TensorChainTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants.

    Raises:
        ScenarioError: the matrices do not fit together.
    """
    shape = (n, dim, section.rank, section.cores, section.loose)
    try:
        return TensorChainTable(*shape, name=name, sd=sd)
    except ValueError as error:
        raise ScenarioError(f"model.table.loose = {section.loose}: {error}") from error


METHOD = Method(
    kind="table",
    name="tensor-chain",
    section=TensorChainSection,
    build=build,
    source="Xia et al., On-Device Next-Item Recommendation with Self-Supervised Knowledge "
    "Distillation, SIGIR 2022",
    gives=frozenset(),
)
