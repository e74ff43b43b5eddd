"""The masked table: a mask that was found once says which numbers are there, and those are trained.

What every learned pruning ends with: the mask is fixed, what it leaves out is 0 and stays 0, and
what ships are the others and where they stand (``sparse_rows.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch

from droidloop.models.interfaces.learning import Params
from droidloop.platform.arrays import Array, BoolArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

from .pruned import PrunedTable


@dataclass(frozen=True)
class MaskedTable(PrunedTable):
    """*n* vectors of *dim* numbers, of which those are there that ``there`` (n, dim) marks.

    Parameter ``name``, as in a dense table; nothing moves what is left out, whatever it is.
    ``share`` is that of the mask. Build it with ``of``.

    >>> MaskedTable.of(np.eye(4, 8, dtype=bool)).nbytes
    40
    """

    there: BoolArray = field(kw_only=True, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.there.shape != (self.n, self.dim) or self.sd < 0:
            raise ValueError(f"a mask of {self.there.shape} for {self.n} x {self.dim}, {self.sd}")

    @classmethod
    def of(cls, there: BoolArray, *, name: str = "item", sd: float = 0.1) -> Self:
        """Return the table of a mask (n, dim)."""
        n, dim = there.shape
        return cls(n, dim, float(there.mean()), name=name, sd=sd, there=there)

    @property
    def kept(self) -> int:
        """How many numbers are there."""
        return int(np.count_nonzero(self.there))

    def mask(self, values: Array) -> BoolArray:
        """Return the mask, whatever the values are."""
        return self.there

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows; a number that is 0 is left out, and stays so."""
        rows = parts[self.name]
        return rows * (rows.detach() != 0).to(rows.dtype)

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return vectors with 0 for what is left out, whatever the parameters say of it."""
        there = torch.from_numpy(self.there[ids.numpy()])
        return super().lookup(params, ids) * there.to(torch.float32)

    def init(self, draws: Draws) -> Params:
        """Return fresh numbers where the mask has some."""
        return self.of_values(super().init(draws)[self.name])

    def of_values(self, values: torch.Tensor) -> Params:
        """Return the parameters that keep what they can of *values*, (n, dim)."""
        return {self.name: values.detach() * torch.from_numpy(self.there).to(torch.float32)}

    @property
    def flops(self) -> int:
        """A product with the mask, forward and back."""
        return 2 * self.dim

    def unpack(self, data: bytes) -> Params:
        """Return the numbers that shipped; see ``EmbeddingTable.unpack``."""
        params = super().unpack(data)
        if params[self.name].numpy()[~self.there].any():
            raise PackageError(f"table {self.name!r}: the packed mask is another; pack it again")
        return params


def masked_by(masks: Mapping[str, BoolArray], sd: float = 0.1) -> dict[str, MaskedTable]:
    """Return the table of each of *masks*, by its name."""
    return {name: MaskedTable.of(there, name=name, sd=sd) for name, there in masks.items()}
