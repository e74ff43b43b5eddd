"""The dense embedding table: one float32 vector for each id."""

from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.interfaces.learning import Cost, Ids, Parameter, Params
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .float_rows import (
    float_bytes,
    look_up,
    normal_rows,
    pack_floats,
    row_cost,
    unpack_floats,
)

_MAGIC = b"dns1"


@dataclass(frozen=True)
class DenseTable:
    """*n* vectors of *dim* float32 numbers, drawn from N(0, *sd*); parameter ``name``.

    >>> table = DenseTable(3706, 64)
    >>> len(table.pack(table.init(Draws(1, "items")))) - 3706 * 64 * 4
    12
    """

    n: int
    dim: int
    name: str = "item"
    sd: float = 0.1

    def __post_init__(self) -> None:
        if self.n < 0 or self.dim < 1 or self.sd < 0:
            raise ValueError(f"no table has {self.n} rows of {self.dim} numbers, sd {self.sd}")

    @property
    def parameters(self) -> dict[str, Parameter]:
        """One row for each id."""
        return {self.name: Parameter((self.n, self.dim), by_row=True)}

    @property
    def plain(self) -> bool:
        """A vector is a row."""
        return True

    @property
    def nbytes(self) -> int:
        """4 n dim."""
        return float_bytes(self)

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return *ids*: every id has a row of its own."""
        return {self.name: ids}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows as they stand."""
        return parts[self.name]

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *ids*, shape ``ids.shape + (dim,)``.

        A stacked table (phones, n, dim) takes *ids* of shape (phones, ...).
        """
        return look_up(self, params, ids)

    def init(self, draws: Draws) -> Params:
        """Return fresh parameters: row *k* depends on *draws* and *k* alone."""
        rows = normal_rows(draws.child(self.name), np.arange(self.n), self.dim, self.sd)
        return {self.name: torch.from_numpy(rows)}

    def pack(self, params: Params) -> bytes:
        """Return twelve bytes of header and the rows, little-endian float32.

        Raises:
            PackageError: a number is NaN or infinite.
        """
        return pack_floats(self, _MAGIC, params)

    def unpack(self, data: bytes) -> Params:
        """Return the parameters that *data* holds.

        Raises:
            PackageError: *data* is not a dense table of this shape.
        """
        return unpack_floats(self, _MAGIC, data)

    def cost(self, lookups: int | IntArray) -> Cost:
        """Return what looking up and training so many vectors takes."""
        return row_cost(self, lookups, 0)

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that multiplies a user with every row."""
        return "scorer", {"table": params[self.name].detach().numpy()}


class DenseSection(Section):
    """One vector of float32 numbers for each item."""


def build(section: DenseSection, n: int, dim: int, *, name: str = "item", sd: float) -> DenseTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    return DenseTable(n, dim, name, sd)


METHOD = Method(
    kind="table",
    name="dense",
    section=DenseSection,
    build=build,
    gives=frozenset({"dense", "plain"}),
)
