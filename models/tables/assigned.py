"""The assigned table: a vector is a weighted sum of few of the rows of one small table.

Liang et al.: Lightweight Embeddings for Graph Collaborative Filtering
(LEGCF, SIGIR 2024): E = S M, where S has *entries* numbers a row. Which rows is found in training
(``fitting/legcf.py``) or, in a scenario, drawn at random; the weights are trained.
"""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from droidloop.platform.registry import Method
from droidloop.platform.section import CountOrNone, Section

from .code_bits import code_bytes, collisions, packed_codes, unpacked_codes
from .float_rows import float_bytes
from .row_table import RowTable

ANCHOR = 0.9
"""The first weight of a row's first entry, the others share the rest; of the authors' code."""
MOST_CENTERS = 2**15
"""A row number is 16 bits in a ``.tflite`` file."""


@dataclass(frozen=True)
class AssignedTable(RowTable):
    """*n* vectors e_x = sum over k of s[x, k] M[rows[x, k]], of *centers* rows.

    Parameters: ``name``, the rows, (centers, dim), and ``name_weights``, s, (n, entries). Of
    *rows*, (n, entries), as many bits ship as they need.

    >>> AssignedTable(3706, 64, 500, np.zeros((3706, 2), np.int64)).nbytes
    165987
    """

    centers: int
    rows: IntArray = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        shape = np.shape(self.rows)
        if len(shape) != 2 or shape[0] != self.n or not shape[1] or self.dim < 1 or self.sd < 0:
            raise ValueError(f"rows of shape {shape} are not those of {self.n} x {self.dim}")
        if not 1 <= self.centers <= MOST_CENTERS or self.rows.min(initial=0) < 0:
            raise ValueError(f"there are 1 to {MOST_CENTERS} centers, not {self.centers}")
        if self.rows.max(initial=0) >= self.centers:
            raise ValueError(f"row {self.rows.max()} where there are {self.centers} centers")

    @property
    def entries(self) -> int:
        """How many rows a vector is made of."""
        return int(self.rows.shape[1])

    @property
    def collisions(self) -> int:
        """How many ids are made of the rows of another, by weights of their own."""
        return collisions(np.sort(self.rows, axis=1))

    @property
    def weights(self) -> str:
        """The name of s."""
        return f"{self.name}_weights"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The centers and the weights of each id."""
        return {
            self.name: Parameter((self.centers, self.dim), by_row=True),
            self.weights: Parameter((self.n, self.entries), by_row=True),
        }

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the assigned rows, and the id's own row of weights."""
        return {self.name: np.where(ids[..., None] < 0, -1, self.rows[ids]), self.weights: ids}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the weighted sums."""
        return (parts[self.name] * parts[self.weights][..., None]).sum(-2)

    def init(self, draws: Draws) -> Params:
        """Return fresh rows, and weights of which the first is the anchor's."""
        rest = (1 - ANCHOR) / max(1, self.entries - 1)
        weights = torch.full((self.n, self.entries), rest)
        weights[:, 0] = ANCHOR if self.entries > 1 else 1.0
        return {self.name: super().init(draws)[self.name], self.weights: weights}

    @property
    def flops(self) -> int:
        """A product and a sum a number of each row, and both gradients."""
        return 6 * self.entries * self.dim

    @property
    def nbytes(self) -> int:
        """Four bytes a number of centers and weights, and the bits of the row numbers."""
        return float_bytes(self) + code_bytes(self.n * self.entries, self.centers)

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"asg1"

    def pack(self, params: Params) -> bytes:
        """Return header, centers, weights and row numbers."""
        return super().pack(params) + packed_codes(self.rows, self.centers)

    def unpack(self, data: bytes) -> Params:
        """Return the parameters; see ``EmbeddingTable.unpack``."""
        params = super().unpack(data)
        bits = data[len(data) - self.nbytes + float_bytes(self) :]
        rows = unpacked_codes(bits, self.n * self.entries, self.centers)
        if not np.array_equal(rows.reshape(self.n, -1), self.rows):
            raise PackageError(f"table {self.name!r}: the packed rows are others; pack it again")
        return params

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that scores the centers and adds them up by row."""
        return f"{__name__}:Scorer", {
            "centers": params[self.name].detach().numpy(),
            "weights": params[self.weights].detach().numpy().T,
            "rows": self.rows.T.astype(np.int16),
        }


class Scorer(nn.Module):
    """Scores every item for one user: the centers once, then a weighted sum for each item.

    Row numbers are picked by a zero that depends on the user, as the converter would else widen
    them.
    """

    centers: torch.Tensor
    weights: torch.Tensor
    rows: torch.Tensor

    def __init__(self, centers: torch.Tensor, weights: torch.Tensor, rows: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("centers", centers)
        self.register_buffer("weights", weights)
        self.register_buffer("rows", rows)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        values = nn.functional.linear(user, self.centers).reshape(-1, 1)
        zero = torch.clamp(user[0, :1].abs(), max=0.0).to(torch.int32)
        scores = torch.zeros(1)
        for entry in range(len(self.rows)):
            rows = torch.index_select(self.rows, 0, zero + entry)[0].to(torch.int32)
            scores = scores + nn.functional.embedding(rows, values)[:, 0] * self.weights[entry]
        return {"scores": scores[None]}


def drawn_rows(n: int, centers: int, entries: int, draws: Draws) -> IntArray:
    """Return *entries* different rows of *centers* for each of *n* ids, at random."""
    chance = draws.bits(np.arange(n)[:, None], np.arange(centers))
    order: IntArray = np.argsort(chance, axis=1, kind="stable")[:, :entries]
    return order


class AssignedSection(Section):
    """An item's vector is a weighted sum of rows of a small table, which rows by chance."""

    centers: CountOrNone = 0
    """How many rows there are; 0: one for eight items."""
    entries: Annotated[int, Field(ge=1, le=64)] = 2
    """How many of them make a vector."""


def build(
    section: AssignedSection, n: int, dim: int, *, name: str = "item", sd: float
) -> AssignedTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    centers = min(max(n, 1), MOST_CENTERS, section.centers or -(-n // 8))
    entries = min(section.entries, centers)
    rows = drawn_rows(n, centers, entries, Draws(0, "assigned rows"))
    return AssignedTable(n, dim, centers, rows, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="assigned",
    section=AssignedSection,
    build=build,
    source="Liang et al., Lightweight Embeddings for Graph Collaborative Filtering, SIGIR 2024",
    gives=frozenset(),
)
