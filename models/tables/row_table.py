"""A table of float32 rows, short to write: say which rows an id reads, and what they make."""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch

from droidloop.models.interfaces.learning import Cost, EmbeddingTable, Ids, Parameter, Params
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws

from .float_rows import every_vector, float_bytes, look_up, normal_rows, pack_floats, unpack_floats
from .float_rows import row_cost as cost_of


@dataclass(frozen=True)
class RowTable:
    """*n* vectors of *dim* numbers, made of rows of parameters whose names start with *name*.

    A table gives ``parameters`` and ``rows_of`` where an id has no row of its own, and ``compose``
    where a vector is no row as it stands. The rest has an answer here that is right for every such
    table: rows are drawn from N(0, *sd*); what ships are all vectors, unless ``scorer`` is told how
    to ship less.
    """

    n: int
    dim: int
    name: str = field(default="item", kw_only=True)
    sd: float = field(default=0.1, kw_only=True)

    @property
    def parameters(self) -> dict[str, Parameter]:
        """All its parameters by name; here one row for each id."""
        return {self.name: Parameter((self.n, self.dim), by_row=True)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the rows that *ids* read: here their own; see ``EmbeddingTable.rows_of``."""
        return {self.name: ids}

    def computed(self, ids: Ids) -> Params:
        """Return what is computed of *ids* alone: here nothing."""
        return {}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows of the one parameter, as they stand."""
        return parts[self.name]

    @property
    def plain(self) -> bool:
        """Whether compiled kernels may take its rows for vectors."""
        return False

    @property
    def nbytes(self) -> int:
        """Four bytes a number of its parameters."""
        return float_bytes(self)

    @property
    def flops(self) -> int:
        """What putting a vector together takes, and its gradients."""
        return 3 * self.dim

    @property
    def row_sd(self) -> float:
        """The standard deviation of the numbers of a row."""
        return self.sd

    @property
    def rows_each(self) -> int:
        """How many rows of each parameter an id reads."""
        one = self.rows_of(np.zeros(1, np.int64)).values()
        return max((int(rows.size) for rows in one), default=0)

    def lookup(self, params: Params, ids: torch.Tensor) -> torch.Tensor:
        """Return the vectors of *ids*; see ``EmbeddingTable.lookup``."""
        return look_up(self, params, ids)

    def in_step(self, draws: Draws, row: int, counter: int) -> EmbeddingTable:
        """Return itself: every step sees the whole table."""
        return self

    def init(self, draws: Draws) -> Params:
        """Return fresh parameters: row *k* of each depends on *draws* and *k* alone."""
        made = {}
        for name, one in self.parameters.items():
            rows = np.arange(one.shape[0])
            values = normal_rows(draws.child(name), rows, one.row_numbers, self.row_sd)
            made[name] = torch.from_numpy(values.reshape(one.shape))
        return made

    def pack(self, params: Params) -> bytes:
        """Return header and numbers; see ``pack_floats``."""
        return pack_floats(self, self.magic, params)

    def unpack(self, data: bytes) -> Params:
        """Return the parameters that *data* holds; see ``unpack_floats``."""
        return unpack_floats(self, self.magic, data)

    def cost(self, lookups: int | IntArray) -> Cost:
        """Return what looking up and training so many vectors takes."""
        return cost_of(self, lookups, self.flops, self.rows_each)

    def scorer(self, params: Params) -> tuple[str, dict[str, Array]]:
        """Return the module that multiplies a user with every vector."""
        return "scorer", {"table": every_vector(self, params)}

    @property
    def magic(self) -> bytes:
        """Four bytes that tell packed tables of this class from others."""
        name = f"{type(self).__module__}.{type(self).__qualname__}"
        return hashlib.blake2b(name.encode(), digest_size=4).digest()
