"""The elastic table: trained once, cut to any budget of bytes without training again.

Chen, Yin, Zheng, Huang, Wang, Wang: Learning Elastic Embeddings for Customizing On-Device
Recommenders (RULE, KDD 2021). A vector is a row of blocks. In training each item is seen with some
of its blocks, drawn anew in every step, and zeros for the others: any of them make a vector then.
For a budget items are put into groups, and each group keeps the blocks that carry most.

What differs from the paper: blocks are chosen by their mean squares in a group, not by an
evolutionary search with a learned estimate of quality; no regulariser holds blocks apart.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated

import numpy as np
import torch
from pydantic import Field
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError, ScenarioError
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, CountOrNone, Section

from .row_table import RowTable

_MOST_BLOCKS = 16


@dataclass(frozen=True)
class ElasticTable(RowTable):
    """*n* vectors of *blocks* blocks, *dim* numbers in all, that ship in a *share* of their bytes.

    Parameter ``name``, as in a dense table. It is trained whole, in subsets (``in_step``); the
    *groups* and their blocks are chosen when it ships.
    """

    blocks: int
    groups: int = 1
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.n < 1 or self.blocks < 1 or self.dim % self.blocks or self.sd < 0:
            raise ValueError(f"no {self.n} vectors of {self.dim} numbers have {self.blocks} blocks")
        if not 1 <= self.groups <= self.n:
            raise ValueError(f"no {self.n} vectors make {self.groups} groups")

    @property
    def flops(self) -> int:
        """A product with the subset, forward and back."""
        return 2 * self.dim

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"els1"

    @property
    def least_bytes(self) -> int:
        """The bytes of a cut in which every group keeps one block."""
        kept = ((0,),) * self.groups
        return CutTable(self.n, self.dim, self.blocks, kept, np.arange(self.n)).nbytes

    def in_step(self, draws: Draws, row: int, counter: int) -> "ElasticTable":
        """Return the table in which each id has a random number of random blocks, at least one."""
        key = draws.child("blocks").bits(row, counter)
        given = {one: getattr(self, one) for one in ("blocks", "groups", "share", "name", "sd")}
        return _SubsetTable(self.n, self.dim, **given, draws=Draws(int(key), "blocks"))

    def cut(self, params: Params, budget_bytes: int) -> tuple["CutTable", Params]:
        """Return the table that ships in at most *budget_bytes*, and its parameters.

        Items of long vectors come first, as these carry more; groups are as large as one another.
        Every group keeps its best block; more are added in the order of their mean squares until
        one does not fit, so that a larger budget keeps all that a smaller one does.

        Raises:
            PackageError: not even one block of each group fits.
        """
        if budget_bytes >= self.nbytes:
            whole = (tuple(range(self.blocks)),)
            return self._made(params, whole, np.arange(self.n))
        if budget_bytes < self.least_bytes:
            raise PackageError(
                f"table {self.name!r}: {budget_bytes} bytes hold no block of every vector; "
                f"give {self.least_bytes} or more"
            )
        values = params[self.name].detach().numpy().astype(np.float64)
        squares = np.square(values).reshape(self.n, self.blocks, -1).sum(axis=2)
        order = np.argsort(-squares.sum(axis=1), kind="stable")
        means = np.stack(
            [squares[part].mean(axis=0) for part in np.array_split(order, self.groups)]
        )
        return self._made(params, self._kept(means, budget_bytes), order)

    def _kept(self, means: FloatArray, budget_bytes: int) -> tuple[tuple[int, ...], ...]:
        """Return the blocks that each group keeps, by their *means*, (groups, blocks)."""
        sizes = [len(part) for part in np.array_split(np.arange(self.n), self.groups)]
        best = means.argmax(axis=1)
        kept = [{int(block)} for block in best]
        left = budget_bytes - self.least_bytes
        for place in np.argsort(-means, axis=None, kind="stable").tolist():
            group, block = divmod(place, self.blocks)
            takes = 4 * sizes[group] * self.dim // self.blocks
            if block in kept[group]:
                continue
            if takes > left:
                break
            kept[group].add(block)
            left -= takes
        return tuple(tuple(sorted(one)) for one in kept)

    def _made(
        self, params: Params, kept: tuple[tuple[int, ...], ...], order: IntArray
    ) -> tuple["CutTable", Params]:
        table = CutTable(*(self.n, self.dim, self.blocks, kept, order), name=self.name, sd=self.sd)
        return table, table.of(params[self.name])

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return what scores the vectors as *share* of their bytes leaves them."""
        if self.share >= 1:
            return super().scorer(params)
        table, values = self.cut(params, math.floor(self.share * self.nbytes))
        return table.scorer(values)


@dataclass(frozen=True)
class _SubsetTable(ElasticTable):
    """The table of one step of training: what blocks an id has, *draws* say."""

    draws: Draws = field(kw_only=True)

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors with zeros for the blocks that were not drawn."""
        vectors, rows = super().lookup(params, ids), ids.numpy()
        count = self.draws.integers(rows, 0, self.blocks)
        chance = self.draws.bits(rows[..., None], np.arange(1, self.blocks + 1))
        last = np.take_along_axis(np.sort(chance, axis=-1), count[..., None], axis=-1)
        there = chance <= last
        mask = np.repeat(there.astype(np.float32), self.dim // self.blocks, axis=-1)
        return vectors * torch.from_numpy(mask)


@dataclass(frozen=True)
class CutTable(RowTable):
    """What ships of an elastic table: of group g of *order* the blocks ``kept[g]``, else zeros.

    Parameter ``name``: the kept blocks, item by item in *order*, after a row of zeros that stands
    for all that are missing. Its bytes are these rows and, of more than one group, *order*, 4 bytes
    an item.

    >>> CutTable(10, 8, 4, ((0,), (1, 2)), np.arange(10)).nbytes
    168
    """

    blocks: int
    kept: tuple[tuple[int, ...], ...]
    order: IntArray = field(repr=False, compare=False)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """One row for each block that is kept; nothing trains it."""
        width = self.dim // self.blocks
        count = self._padded + sum(
            len(one) * size for one, size in zip(self.kept, self._sizes, strict=True)
        )
        return {self.name: Parameter((count, width), by_row=True, trained=False)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the row of each block of each id; 0 where it is missing."""
        return {self.name: np.where(ids[..., None] < 0, -1, self._rows[ids])}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the blocks end to end."""
        return parts[self.name].flatten(-2)

    def init(self, draws: Draws) -> Params:
        """Return fresh blocks; those that are missing are zeros."""
        [values] = super().init(draws).values()
        values[: self._padded] = 0
        return {self.name: values}

    def of(self, vectors: torch.Tensor) -> Params:
        """Return the parameters that keep what they can of *vectors*, (n, dim)."""
        [shape] = (one.shape for one in self.parameters.values())
        values = torch.zeros(shape)
        every = vectors.detach().reshape(self.n * self.blocks, -1)
        rows = self._rows.reshape(-1)
        there = np.flatnonzero(rows >= self._padded)
        values[torch.from_numpy(rows[there])] = every[torch.from_numpy(there)]
        return {self.name: values}

    @property
    def nbytes(self) -> int:
        """Four bytes a number, and an item where there are groups."""
        return super().nbytes + self._order_bytes

    @property
    def flops(self) -> int:
        """Nothing: blocks are copied."""
        return 0

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"cut1"

    def pack(self, params: Params) -> bytes:
        """Return header, numbers and the order of items."""
        order = self.order.astype("<i4").tobytes()
        return super().pack(params) + order[: self._order_bytes]

    def unpack(self, data: bytes) -> Params:
        """Return the parameters; see ``EmbeddingTable.unpack``."""
        params = super().unpack(data)
        order = self.order.astype("<i4").tobytes()[: self._order_bytes]
        if not data.endswith(order):
            raise PackageError(
                f"table {self.name!r}: the packed order of {self.n} items is another; pack it again"
            )
        return params

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that scores group by group and puts the scores in order."""
        rows, constants = params[self.name].detach().numpy(), {}
        start = self._padded
        for group, (kept, size) in enumerate(zip(self.kept, self._sizes, strict=True)):
            end = start + size * len(kept)
            constants[f"table{group}"] = rows[start:end].reshape(size, -1)
            constants[f"columns{group}"] = self._columns(kept)
            start = end
        if len(self.kept) > 1:
            constants["places"] = np.argsort(self.order).astype(np.int32)
        return f"{__name__}:CutScorer", constants

    def _columns(self, kept: tuple[int, ...]) -> Array:
        width = self.dim // self.blocks
        columns = np.array(kept)[:, None] * width + np.arange(width)
        return columns.ravel().astype(np.int32)

    @property
    def _padded(self) -> int:
        """Whether a block is missing: how many rows stand for it."""
        return int(any(len(one) < self.blocks for one in self.kept))

    @property
    def _order_bytes(self) -> int:
        return 4 * self.n if len(self.kept) > 1 else 0

    @cached_property
    def _sizes(self) -> list[int]:
        return [len(part) for part in np.array_split(np.arange(self.n), len(self.kept))]

    @cached_property
    def _rows(self) -> IntArray:
        """The row of each block of each id, (n, blocks)."""
        rows, start = np.zeros((self.n, self.blocks), np.int64), self._padded
        for kept, items in zip(self.kept, np.array_split(self.order, len(self.kept)), strict=True):
            count = len(items) * len(kept)
            numbers = np.arange(start, start + count).reshape(len(items), len(kept))
            rows[items[:, None], np.array(kept)] = numbers
            start += count
        return rows


class CutScorer(nn.Module):
    """Scores every item for one user, group by group, by that part of the user that it meets."""

    def __init__(self, **constants: torch.Tensor) -> None:
        super().__init__()
        for name, value in constants.items():
            self.register_buffer(name, value)
        self._groups = sum(name.startswith("table") for name in constants)
        self._ordered = "places" in constants

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        scores = torch.cat([self._scores(user, group) for group in range(self._groups)], dim=1)
        if self._ordered:
            scores = torch.index_select(scores, 1, self.get_buffer("places"))
        return {"scores": scores}

    def _scores(self, user: torch.Tensor, group: int) -> torch.Tensor:
        table, columns = (self.get_buffer(f"{what}{group}") for what in ("table", "columns"))
        return nn.functional.linear(torch.index_select(user, 1, columns), table)


class ElasticSection(Section):
    """Vectors of blocks that are trained once and ship in any budget of bytes."""

    blocks: CountOrNone = 0
    """How many blocks a vector has; 0: as many as divide it, 16 at most."""
    groups: Count = 1
    """How many groups of items keep blocks of their own; more than one take 4 bytes an item."""
    budget: Annotated[float, Field(ge=1e-6, le=1.0)] = 1.0
    """The share of the dense table's bytes in which it ships."""


def build(
    section: ElasticSection, n: int, dim: int, *, name: str = "item", sd: float
) -> ElasticTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants.

    Raises:
        ScenarioError: the blocks do not divide a vector, or the budget holds none of them.
    """
    blocks = section.blocks or next(b for b in range(_MOST_BLOCKS, 0, -1) if dim % b == 0)
    if dim % blocks:
        raise ScenarioError(
            f"model.table.blocks = {blocks}: vectors of {dim} numbers have no such blocks; "
            "choose a divisor"
        )
    groups = min(n, section.groups)
    table = ElasticTable(n, dim, blocks, groups, section.budget, name=name, sd=sd)
    if section.budget < 1 and table.least_bytes > section.budget * table.nbytes:
        raise ScenarioError(
            f"model.table.budget = {section.budget}: one block of every vector takes "
            f"{table.least_bytes} of {table.nbytes} bytes; raise it, or take more blocks"
        )
    return table


METHOD = Method(
    kind="table",
    name="elastic",
    section=ElasticSection,
    build=build,
    source="Chen et al., Learning Elastic Embeddings for Customizing On-Device Recommenders, "
    "KDD 2021",
    gives=frozenset(),
)
