"""The dense embedding table: one float32 vector for each id."""

import struct
from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.interfaces.learning import Params
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

_HEADER = struct.Struct("<4sII")
_MAGIC = b"dns1"
_CHUNK_ROWS = 1 << 16


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

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *ids*, shape ``ids.shape + (dim,)``.

        A stacked table (phones, n, dim) takes *ids* of shape (phones, ...).
        """
        table = params[self.name]
        if table.dim() == 2:
            return torch.nn.functional.embedding(ids, table)
        phones = torch.arange(len(table)).reshape([-1] + [1] * (ids.dim() - 1))
        return table[phones, ids]

    def init(self, draws: Draws) -> Params:
        """Return fresh parameters: row *k* depends on *draws* and *k* alone."""
        rows = normal_rows(draws.child(self.name), np.arange(self.n), self.dim, self.sd)
        return {self.name: torch.from_numpy(rows)}

    def pack(self, params: Params) -> bytes:
        """Return twelve bytes of header and the rows, little-endian float32.

        Raises:
            PackageError: a number is NaN or infinite.
        """
        table = params[self.name].detach().numpy()
        if table.shape != (self.n, self.dim):
            raise ValueError(f"table {self.name!r} is {(self.n, self.dim)}, not {table.shape}")
        broken = int(np.count_nonzero(~np.isfinite(table).all(axis=1)))
        if broken:
            raise PackageError(
                f"table {self.name!r}: {broken} of {self.n} rows hold NaN or infinity; "
                "train with a smaller learning rate"
            )
        return _HEADER.pack(_MAGIC, self.n, self.dim) + table.astype("<f4", copy=False).tobytes()

    def unpack(self, data: bytes) -> Params:
        """Return the parameters that *data* holds.

        Raises:
            PackageError: *data* is not a dense table of this shape.
        """
        wanted = _HEADER.pack(_MAGIC, self.n, self.dim)
        size = len(wanted) + 4 * self.n * self.dim
        if len(data) != size or data[: len(wanted)] != wanted:
            raise PackageError(
                f"table {self.name!r}: {len(data)} bytes are not a dense table of {self.n} x "
                f"{self.dim} ({size} bytes); pack it again"
            )
        rows = np.frombuffer(data, "<f4", offset=len(wanted)).astype(np.float32)
        return {self.name: torch.from_numpy(rows.reshape(self.n, self.dim))}


def normal_rows(draws: Draws, rows: IntArray, dim: int, sd: float) -> Array:
    """Return float32 draws from N(0, *sd*), (len(rows), *dim*), each a function of its row."""
    out = np.empty((len(rows), dim), np.float32)
    columns = np.arange(dim)
    for start in range(0, len(rows), _CHUNK_ROWS):
        part = rows[start : start + _CHUNK_ROWS]
        out[start : start + len(part)] = draws.normal(part[:, None], columns) * sd
    return out


class DenseSection(Section):
    """One float32 vector for each id."""


METHOD = Method(
    kind="table",
    name="dense",
    section=DenseSection,
    build=lambda section, n, dim, *, name, sd: DenseTable(n, dim, name, sd),
    gives=frozenset({"dense"}),
)
