"""The mixed-size table: blocks of ids have widths of their own, and a linear map to one length.

Ginart, Naumov, Mudigere, Yang, Zou: Mixed Dimension Embeddings with Application to Memory-Efficient
Recommendation Systems (2019; ISIT 2021). Every table whose sizes are searched ends as one of these.
"""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Self

import numpy as np
import torch
from torch import nn

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

from .float_rows import finite, headed, normal_rows, numbers_of, times
from .row_table import RowTable

MOST_BLOCKS = 256
"""The block of an id is a byte."""


@dataclass(frozen=True)
class MixedTable(RowTable):
    """*n* vectors of *dim* numbers; an id of block b has ``widths[b]`` numbers of its own.

    Parameters of each block: ``name_b`` (1 + ids, width), of which the first row is 0, stays so
    and is what the ids of other blocks read; ``name_b_map`` (width, dim), none where the width is
    *dim*. A table of one block has no row of zeros. Rows are in the order of ids. What ships are
    ``count`` numbers and, of more than one block, a byte an id.

    >>> table = MixedTable.of(np.array([0, 1, 1, 0]), (8, 2), 8)
    >>> table.count, table.nbytes
    (36, 148)
    """

    widths: tuple[int, ...]
    block: IntArray = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.block) != self.n or self.sd < 0:
            raise ValueError(f"{self.n} ids, of {len(self.block)} of which the block is known")
        if not 1 <= len(self.widths) <= MOST_BLOCKS or not all(
            1 <= width <= self.dim for width in self.widths
        ):
            raise ValueError(f"widths of {self.widths}, not 1 to {self.dim} of 1 to {MOST_BLOCKS}")
        if not np.array_equal(np.unique(self.block), np.arange(len(self.widths))):
            raise ValueError(f"the ids' blocks are not those of {len(self.widths)} widths")

    @classmethod
    def of(
        cls,
        block: IntArray,
        widths: tuple[int, ...],
        dim: int,
        *,
        name: str = "item",
        sd: float = 0.1,
    ) -> Self:
        """Return the table of the *block* of each id; blocks of one width become one.

        Blocks without ids are left out; the widest is the first.
        """
        each = np.asarray(widths, np.int64)[block]
        found, numbers = np.unique(-each, return_inverse=True)
        return cls(len(block), dim, tuple((-found).tolist()), numbers, name=name, sd=sd)

    @classmethod
    def sized(cls, sizes: IntArray, dim: int, *, name: str = "item", sd: float = 0.1) -> Self:
        """Return the table in which each id has as many numbers as *sizes* (n,) say."""
        widths, block = np.unique(sizes, return_inverse=True)
        return cls.of(block, tuple(widths.tolist()), dim, name=name, sd=sd)

    @property
    def sizes(self) -> IntArray:
        """How many numbers each id has, (n,)."""
        return np.asarray(self.widths, np.int64)[self.block]

    @property
    def count(self) -> int:
        """How many numbers ship: of each block ids x width, and width x dim for its map."""
        maps = sum(width * self.dim for width in self.widths if width < self.dim)
        return int(self.sizes.sum()) + maps

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The rows and the map of each block."""
        found = {}
        for number, width in enumerate(self.widths):
            rows = int(self._counts[number]) + self._padded
            found[self._rows(number)] = Parameter((rows, width), by_row=True)
            if width < self.dim:
                found[self._map(number)] = Parameter((width, self.dim))
        return found

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the row of each id in its block, and 0 in the others."""
        mine, place = self.block[ids], self._places[ids] + self._padded
        return {
            self._rows(number): np.where(ids < 0, -1, np.where(mine == number, place, 0))
            for number in range(len(self.widths))
        }

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows through their maps; a row of zeros is that of an id of another block."""
        found = []
        for number, width in enumerate(self.widths):
            rows = parts[self._rows(number)]
            if self._padded:
                there = (rows.detach() != 0).any(-1, keepdim=True)
                rows = rows * there.to(rows.dtype)
            found.append(rows if width == self.dim else times(rows, parts[self._map(number)]))
        return found[0] if len(found) == 1 else torch.stack(found).sum(0)

    def init(self, draws: Draws) -> Params:
        """Return rows from N(0, *sd*), and maps that keep the standard deviation of numbers."""
        made = {}
        for name, one in self.parameters.items():
            sd = self.sd if one.by_row else one.shape[0] ** -0.5
            values = normal_rows(draws.child(name), np.arange(one.shape[0]), one.shape[1], sd)
            if one.by_row:
                values[: self._padded] = 0
            made[name] = torch.from_numpy(values)
        return made

    @property
    def nbytes(self) -> int:
        """Four bytes a number, and a byte an id where there are blocks."""
        return 4 * self.count + self.n * self._padded

    @property
    def flops(self) -> int:
        """The maps of all blocks, forward and twice back: those of others are not skipped."""
        return 6 * self.dim * sum(width for width in self.widths if width < self.dim)

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"mix1"

    def pack(self, params: Params) -> bytes:
        """Return header, numbers without the rows of zeros, and the block of each id."""
        parts = []
        for name, one in self.parameters.items():
            values = finite(self, name, params[name])
            parts.append(values[self._padded * one.by_row :].astype("<f4").tobytes())
        return headed(self, self.magic, b"".join([*parts, self._blocks]))

    def unpack(self, data: bytes) -> Params:
        """Return the parameters; see ``EmbeddingTable.unpack``."""
        numbers, params, start = numbers_of(self, self.magic, data), {}, 0
        if not numbers.endswith(self._blocks):
            raise PackageError(f"table {self.name!r}: the packed blocks are others; pack it again")
        for name, one in self.parameters.items():
            padded = self._padded * one.by_row
            values = np.zeros(one.shape, np.float32)
            count = values[padded:].size
            values[padded:] = np.frombuffer(numbers, "<f4", count, start).reshape(-1, one.shape[1])
            params[name] = torch.from_numpy(values)
            start += 4 * count
        return params

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that maps the user to each block and scores it there."""
        constants: dict[str, Array] = {}
        for number, width in enumerate(self.widths):
            rows = params[self._rows(number)].detach().numpy()
            constants[f"rows{number}"] = rows[self._padded :]
            if width < self.dim:
                constants[f"map{number}"] = params[self._map(number)].detach().numpy()
        if self._padded:
            order = np.argsort(self.block, kind="stable")
            constants["places"] = np.argsort(order).astype(np.int32)
        return f"{__name__}:MixedScorer", constants

    def _rows(self, number: int) -> str:
        return f"{self.name}_{number}"

    def _map(self, number: int) -> str:
        return f"{self.name}_{number}_map"

    @property
    def _padded(self) -> int:
        """How many rows of zeros a block has."""
        return int(len(self.widths) > 1)

    @property
    def _blocks(self) -> bytes:
        return self.block.astype(np.uint8).tobytes() if self._padded else b""

    @cached_property
    def _counts(self) -> IntArray:
        return np.bincount(self.block, minlength=len(self.widths))

    @cached_property
    def _places(self) -> IntArray:
        """The place of each id in its block."""
        order = np.argsort(self.block, kind="stable")
        starts = np.concatenate([[0], np.cumsum(self._counts)])
        places = np.empty(self.n, np.int64)
        places[order] = np.arange(self.n) - np.repeat(starts[:-1], self._counts)
        return places


class MixedScorer(nn.Module):
    """Scores every item for one user, block by block: (user map^T) rows^T, then in order."""

    def __init__(self, **constants: torch.Tensor) -> None:
        super().__init__()
        for name, value in constants.items():
            self.register_buffer(name, value)
        self._blocks = sum(name.startswith("rows") for name in constants)
        self._mapped = [f"map{number}" in constants for number in range(self._blocks)]
        self._ordered = "places" in constants

    def forward(self, user: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return ``{"scores": (1, n_items)}`` of *user*, shape (1, dim)."""
        parts = []
        for number, mapped in enumerate(self._mapped):
            own = nn.functional.linear(user, self.get_buffer(f"map{number}")) if mapped else user
            parts.append(nn.functional.linear(own, self.get_buffer(f"rows{number}")))
        scores = torch.cat(parts, dim=1)
        if self._ordered:
            scores = torch.index_select(scores, 1, self.get_buffer("places"))
        return {"scores": scores}
