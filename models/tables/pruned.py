"""The pruned table: trained whole, it ships its largest numbers and where they stand.

Pruning by magnitude (Han, Pool, Tran, Dally: Learning both Weights and Connections for Efficient
Neural Networks, NeurIPS 2015), over the whole table: the simple method that every learned one is
held to. The indexes that a pruned table needs are part of its bytes.
"""

from dataclasses import dataclass
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Params
from droidloop.platform.arrays import Array, BoolArray, Float32Array
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .float_rows import finite, headed, numbers_of
from .row_table import RowTable
from .sparse_rows import Form, decode, encode, sizes, smallest

_MARKS: dict[Form, bytes] = {
    "dense": b"prn0",
    "coordinates": b"prn1",
    "rows": b"prn2",
    "bits": b"prn3",
}
_WIDTHS = 16
"""Of the slices of a scorer: more fill fewer places with zeros, and make a larger graph."""
_INT8 = 128


@dataclass(frozen=True)
class PrunedTable(RowTable):
    """*n* vectors of *dim* numbers, of which the largest *share* ships.

    Parameter ``name``, as in a dense table. The first four bytes of what ships say in which form.

    >>> table = PrunedTable(100_000, 128, 0.25)
    >>> table.form, table.nbytes
    ('bits', 14800004)
    """

    share: float

    def __post_init__(self) -> None:
        if self.n < 1 or self.dim < 1 or not 0 < self.share <= 1 or self.sd < 0:
            raise ValueError(f"no {self.n} vectors of {self.dim} keep {self.share} of them")

    @property
    def kept(self) -> int:
        """How many numbers ship."""
        return max(1, int(self.share * self.n * self.dim))

    @property
    def form(self) -> Form:
        """The smallest form for so many numbers."""
        return smallest(self.n, self.dim, self.kept)

    @property
    def nbytes(self) -> int:
        """What that form takes."""
        return sizes(self.n, self.dim, self.kept)[self.form]

    @property
    def flops(self) -> int:
        """Nothing: a vector is a row while it is trained."""
        return 0

    @property
    def magic(self) -> bytes:
        """What its packed form begins with: it says how the rest is stored."""
        return _MARKS[self.form]

    def mask(self, values: Array) -> BoolArray:
        """Return which of *values*, (n, dim), ship: the largest; of equals the first."""
        order = np.argsort(-np.abs(values), axis=None, kind="stable")
        mask = np.zeros(values.size, np.bool_)
        mask[order[: self.kept]] = True
        return mask.reshape(values.shape)

    def pack(self, params: Params) -> bytes:
        """Return header and numbers with their places; see ``sparse_rows``."""
        values = finite(self, self.name, params[self.name])
        return headed(self, self.magic, encode(self.form, values, self.mask(values)))

    def unpack(self, data: bytes) -> Params:
        """Return the numbers that shipped, zeros for the others; see ``EmbeddingTable.unpack``."""
        numbers = numbers_of(self, self.magic, data)
        values = decode(self.form, numbers, self.n, self.dim, self.kept)
        return {self.name: torch.from_numpy(values)}

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that multiplies what is kept, in slices of rows of like length."""
        values = params[self.name].detach().numpy()
        return f"{__name__}:SliceScorer", slices_of(values, self.mask(values))


def slices_of(values: Float32Array, kept: BoolArray) -> dict[str, Array]:
    """Return the constants of ``SliceScorer``: rows by length, filled up with zeros.

    The form is sliced ELLPACK (Monakov, Lokhmotov, Avetisyan, HiPEAC 2010). Columns are 128 less
    than they are where a byte holds them.
    """
    dim = values.shape[1]
    counts = kept.sum(axis=1)
    step = -(-dim // _WIDTHS)
    widths = np.maximum(-(-counts // step) * step, 1)
    first = np.argsort(~kept, axis=1, kind="stable")  # of each row the columns that are kept first
    constants: dict[str, Array] = {}
    order = []
    for slice_, width in enumerate(np.unique(widths)):
        rows = np.flatnonzero(widths == width)
        columns = first[rows, :width]
        there = kept[rows[:, None], columns]
        numbers = np.where(there, values[rows[:, None], columns], 0)
        narrow = dim <= 2 * _INT8
        shifted = (columns - _INT8).astype(np.int8) if narrow else columns.astype(np.int32)
        constants |= {f"columns{slice_}": shifted[None], f"values{slice_}": numbers}
        order.append(rows)
    constants["places"] = np.argsort(np.concatenate(order)).astype(np.int32)
    return constants


class SliceScorer(nn.Module):
    """Scores every item for one user: the products of what is kept of each slice, then in order.

    Columns are picked by a zero that depends on the user, as the converter would else widen them.
    """

    places: torch.Tensor

    def __init__(self, **constants: torch.Tensor) -> None:
        super().__init__()
        for name, value in constants.items():
            self.register_buffer(name, value)
        self._slices = sum(name.startswith("values") for name in constants)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        zero = torch.clamp(user[0, :1].abs(), max=0.0).to(torch.int32)
        parts = []
        for slice_ in range(self._slices):
            every = self.get_buffer(f"columns{slice_}")
            columns = torch.index_select(every, 0, zero)[0].to(torch.int32)
            if every.dtype == torch.int8:
                columns = columns + _INT8
            picked = nn.functional.embedding(columns, user.reshape(-1, 1))[..., 0]
            parts.append((picked * self.get_buffer(f"values{slice_}")).sum(-1))
        return {"scores": torch.index_select(torch.cat(parts), 0, self.places)[None]}


class PrunedSection(Section):
    """Vectors that are trained whole and ship their largest numbers."""

    share: Annotated[float, Field(ge=1e-6, le=1.0)] = 0.25
    """The share of the numbers that ships."""


def build(
    section: PrunedSection, n: int, dim: int, *, name: str = "item", sd: float
) -> PrunedTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    return PrunedTable(n, dim, section.share, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="pruned",
    section=PrunedSection,
    build=build,
    source="Han et al., Learning both Weights and Connections for Efficient Neural Networks, "
    "NeurIPS 2015",
    gives=frozenset(),
)
