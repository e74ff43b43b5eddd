"""Pruned codebooks: a vector is the sum of rows of several small tables, some numbers left out.

Liang et al.: Learning Compact Compositional Embeddings via Regularized Pruning
for Recommendation (CERP, ICDM 2023): two codebooks, pruned by soft thresholds so that one keeps
what the other leaves out (``fitting/cerp.py``). Which rows an id reads is computed from it.
"""

from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError, ScenarioError
from droidloop.platform.registry import Method
from droidloop.platform.section import CountOrNone, Section

from .float_rows import finite, headed, numbers_of
from .pruned import SliceScorer, slices_of
from .row_table import RowTable
from .soft_threshold import soften
from .sparse_rows import Form, decode, encode, sizes, smallest

FIRST = -6.0
"""What thresholds begin at, before the sigmoid: it cuts numbers below 0.0025. Ours."""
_MARKS: dict[Form, bytes] = {
    "dense": b"cbk0",
    "coordinates": b"cbk1",
    "rows": b"cbk2",
    "bits": b"cbk3",
}


@dataclass(frozen=True)
class _Codebooks(RowTable):
    """Which rows of *books* codebooks of *buckets* rows an id reads; see ``CodebooksTable``."""

    buckets: int
    books: int = 2

    def __post_init__(self) -> None:
        if min(self.n, self.dim, self.buckets, self.books) < 1 or self.sd < 0:
            raise ValueError(f"no {self.n} vectors have {self.books} books of {self.buckets} rows")
        if self.buckets**self.books < self.n:
            raise ValueError(
                f"{self.books} codebooks of {self.buckets} rows tell {self.buckets**self.books} "
                f"ids apart, not {self.n}"
            )

    @property
    def strides(self) -> list[int]:
        """The w of each codebook."""
        first = -(-self.n // self.buckets ** (self.books - 1))
        return [1, *(first * self.buckets**book for book in range(self.books - 1))]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The rows of all codebooks."""
        return {self.name: Parameter((self.books * self.buckets, self.dim), by_row=True)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return a row of each codebook."""
        return {self.name: self._rows(ids)}

    def _rows(self, ids: Ids) -> IntArray:
        each = ids[..., None] // np.array(self.strides) % self.buckets
        rows: IntArray = each + self.buckets * np.arange(self.books)
        return np.where(ids[..., None] < 0, -1, rows)

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the sums of the rows."""
        return parts[self.name].sum(-2)

    @property
    def row_sd(self) -> float:
        """What gives the numbers of a sum the standard deviation *sd*."""
        return self.sd / float(np.sqrt(self.books))

    @property
    def flops(self) -> int:
        """A sum of one row of each codebook."""
        return self.books * self.dim


@dataclass(frozen=True)
class CodebooksTable(_Codebooks):
    """*n* vectors e_x = sum over j of C_j[(x div w_j) mod buckets], *books* codebooks.

    Parameter ``name``: their rows, (books * buckets, dim), book by book. w_0 is 1 and w_1 the
    number of ids over buckets^(books - 1), rounded up, each further one *buckets* times the one
    before: no two ids read the same rows. For two codebooks that is x mod b and x div ceil(n / b).

    Attributes:
        buckets: rows of a codebook.
        books: how many codebooks there are.
        there: which numbers are there, (books * buckets, dim); None: all. The others are 0.

    >>> CodebooksTable(3706, 64, 61).nbytes
    31232
    """

    there: BoolArray | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        shape = (self.books * self.buckets, self.dim)
        if self.there is not None and self.there.shape != shape:
            raise ValueError(f"a mask of {self.there.shape} for codebooks of {shape}")

    def computed(self, ids: Ids) -> Params:
        """Return the mask of the rows of *ids*, if there is one."""
        if self.there is None:
            return {}
        return {f"{self.name}_there": torch.from_numpy(self.there[self._rows(ids)])}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the sums of what is there of the rows."""
        if self.there is None:
            return super().compose(parts)
        return torch.where(parts[f"{self.name}_there"], parts[self.name], 0.0).sum(-2)

    def init(self, draws: Draws) -> Params:
        """Return fresh rows, 0 where the mask has no number."""
        made = super().init(draws)
        return made if self.there is None else self.masked(made[self.name])

    def masked(self, values: torch.Tensor) -> Params:
        """Return the parameters that keep what the mask has of *values*."""
        return {self.name: torch.where(torch.from_numpy(self._mask), values.detach(), 0.0)}

    @property
    def _mask(self) -> BoolArray:
        shape = (self.books * self.buckets, self.dim)
        return np.ones(shape, np.bool_) if self.there is None else self.there

    @property
    def empty(self) -> int:
        """How many ids have no number that is there: their vectors are 0."""
        rows = self._rows(np.arange(self.n))
        return int(np.count_nonzero(~self._mask[rows].any(axis=(1, 2))))

    @property
    def form(self) -> Form:
        """The smallest form for what is there; see ``sparse_rows``."""
        return smallest(*self._counts)

    @property
    def _counts(self) -> tuple[int, int, int]:
        return self.books * self.buckets, self.dim, int(np.count_nonzero(self._mask))

    @property
    def nbytes(self) -> int:
        """What that form takes, its indexes counted."""
        return sizes(*self._counts)[self.form]

    @property
    def magic(self) -> bytes:
        """What its packed form begins with: it says how the rest is stored."""
        return _MARKS[self.form]

    def pack(self, params: Params) -> bytes:
        """Return header, numbers and where they stand."""
        values = finite(self, self.name, params[self.name])
        return headed(self, self.magic, encode(self.form, values, self._mask))

    def unpack(self, data: bytes) -> Params:
        """Return the rows; see ``EmbeddingTable.unpack``."""
        numbers = numbers_of(self, self.magic, data)
        try:
            values = decode(self.form, numbers, *self._counts)
        except PackageError as error:
            raise PackageError(f"table {self.name!r}: {error}") from error
        if values[~self._mask].any():
            raise PackageError(f"table {self.name!r}: the packed mask is another; pack it again")
        return {self.name: torch.from_numpy(values)}

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that scores the rows and adds the scores up."""
        values = self.masked(params[self.name])[self.name].numpy()
        shape = {"n": np.array([self.n], np.int32), "strides": np.array(self.strides, np.int32)}
        return f"{__name__}:Scorer", {**shape, **slices_of(values, self._mask)}


class Scorer(nn.Module):
    """Scores every item for one user: the rows of all codebooks, then a sum by what an id reads."""

    def __init__(self, n: torch.Tensor, strides: torch.Tensor, **slices: torch.Tensor) -> None:
        super().__init__()
        self._n, self._strides = int(n[0]), strides.tolist()
        self._rows = SliceScorer(**slices)

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        rows = self._rows(user)["scores"].reshape(len(self._strides), -1)
        total = torch.zeros(1, self._n)
        for book, stride in zip(rows, self._strides, strict=True):
            some = book[: -(-self._n // stride), None].expand(-1, stride).reshape(1, -1)
            total = total + some.tile(1, -(-self._n // some.shape[1]))[:, : self._n]
        return {"scores": total}


@dataclass(frozen=True)
class SoftCodebooksTable(_Codebooks):
    """Codebooks whose numbers shrink by learned thresholds, one each; it ships whole.

    Parameters: ``name`` as in ``CodebooksTable``, and ``name_threshold`` of the same shape.
    """

    first: float = FIRST

    @property
    def threshold(self) -> str:
        """The name of the thresholds."""
        return f"{self.name}_threshold"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The rows and their thresholds."""
        rows = super().parameters
        return {**rows, self.threshold: rows[self.name]}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return a row of each codebook and the thresholds of it."""
        rows = self._rows(ids)
        return {self.name: rows, self.threshold: rows}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the sums of the rows, nearer to 0 by their thresholds."""
        return soften(parts[self.name], parts[self.threshold]).sum(-2)

    def softened(self, params: Params, ids: Ids) -> torch.Tensor:
        """Return the shrunk rows that *ids* read, ``ids.shape + (books, dim)``."""
        rows = torch.from_numpy(self._rows(ids))
        return soften(params[self.name][rows], params[self.threshold][rows])

    def margins(self, params: Params) -> Array:
        """Return how far each number is above its threshold; below it less than 0."""
        above = params[self.name].abs() - torch.sigmoid(params[self.threshold])
        margins: Array = above.detach().numpy()
        return margins

    def init(self, draws: Draws) -> Params:
        """Return fresh rows, and thresholds that cut little."""
        made = super().init(draws)
        return {**made, self.threshold: torch.full_like(made[self.name], self.first)}

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"cbks"

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the scorer of the shrunk rows."""
        ships = CodebooksTable(self.n, self.dim, self.buckets, self.books, name=self.name)
        still = {name: value.detach() for name, value in params.items()}
        return ships.scorer({self.name: soften(still[self.name], still[self.threshold])})


class CodebooksSection(Section):
    """An item's vector is the sum of a row of each of some small codebooks."""

    buckets: CountOrNone = 0
    """How many rows a codebook has; 0: the fewest that tell all items apart."""
    books: Annotated[int, Field(ge=1, le=16)] = 2
    """How many codebooks there are."""


def build(
    section: CodebooksSection, n: int, dim: int, *, name: str = "item", sd: float
) -> CodebooksTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants.

    Raises:
        ScenarioError: two items would read the same rows.
    """
    books, buckets = section.books, section.buckets or least_buckets(n, section.books)
    if buckets**books < n:
        raise ScenarioError(
            f"model.table.buckets = {buckets}: {books} codebooks tell {buckets**books} items "
            f"apart, and there are {n}; set buckets = {least_buckets(n, books)} or 0"
        )
    return CodebooksTable(n, dim, buckets, books, name=name, sd=sd)


def least_buckets(n: int, books: int) -> int:
    """Return the fewest rows of a codebook with which *books* of them tell *n* ids apart."""
    buckets: int = max(1, round(float(n) ** (1 / books)) - 1)
    while buckets**books < n:
        buckets += 1
    return buckets


METHOD = Method(
    kind="table",
    name="codebooks",
    section=CodebooksSection,
    build=build,
    source="Liang et al., Learning Compact Compositional Embeddings via Regularized Pruning for "
    "Recommendation, ICDM 2023",
    gives=frozenset(),
)
