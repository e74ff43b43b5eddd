"""The server of tables of several sizes: each number is averaged over the phones that have it.

Yuan et al., HeteFedRec (ICDE 2024). Vectors are cut into blocks at the lengths of the tiers. A
phone of a small tier holds the first blocks, one of the largest all of them; each block is a
parameter of its own, whose rows are folded over the messages that hold it. Distillation then moves
each tier's table by itself, so that a tier has the common blocks and what is its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch

from droidloop.models.interfaces.forms import Form
from droidloop.models.interfaces.learning import Params
from droidloop.models.interfaces.staleness import Staleness
from droidloop.models.numerics.relations import agreed
from droidloop.platform.arrays import Array, BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.state import Stateful

from .folds import row_average


@dataclass(frozen=True)
class Tiers:
    """Which tier each phone is of, and how long the vectors of a tier are.

    Attributes:
        of: by phone, (phones,).
        dims: by tier, smallest first; 0: its phones hold no table.
    """

    of: IntArray
    dims: tuple[int, ...]

    @property
    def ends(self) -> tuple[int, ...]:
        """The lengths at which blocks end, rising."""
        return tuple(sorted(set(self.dims) - {0}))

    @property
    def dim(self) -> int:
        """The longest vector."""
        return self.ends[-1]

    def blocks(self, tier: int) -> dict[str, slice]:
        """Return the blocks that *tier* holds, by the names of their parameters."""
        ends = [end for end in self.ends if end <= self.dims[tier]]
        starts = [0, *ends][: len(ends)]
        pairs = zip(starts, ends, strict=True)
        return {f"item-{k}": slice(start, end) for k, (start, end) in enumerate(pairs)}

    @property
    def largest(self) -> int:
        """A tier that holds all blocks."""
        return int(np.argmax(self.dims))


@dataclass(frozen=True)
class Distillation:
    """How tables of several sizes are brought to agree: *items* at a time, *passes* by *step*."""

    items: int
    step: float
    passes: int
    draws: Draws


@final
class TierServer(Stateful):
    """Server rule: a row average for each block, and distillation among the tiers' tables."""

    STATE: ClassVar[tuple[str, ...]] = ("_fold", "_own")

    def __init__(
        self,
        table: Array,
        tiers: Tiers,
        step: float,
        distillation: Distillation | None,
        *,
        staleness: Staleness | None = None,
    ) -> None:
        self._tiers, self._distillation = tiers, distillation
        blocks = tiers.blocks(tiers.largest)
        params = {
            name: torch.from_numpy(np.array(table[:, part], np.float32))
            for name, part in blocks.items()
        }
        self._fold = row_average(params, step, staleness=staleness)
        self._own: dict[str, Array] = {}

    @property
    def version(self) -> int:
        """How many steps changed the tables."""
        return self._fold.version

    @property
    def params(self) -> Params:
        """The blocks that all tiers share, before what distillation has made each tier's own."""
        return self._fold.params

    @property
    def form(self) -> Form:
        """Changes of rows of blocks."""
        return self._fold.form

    def table(self, tier: int) -> Array:
        """Return the table of *tier*, (items, its length)."""
        parts = [self._fold.params[name].numpy() for name in self._tiers.blocks(tier)]
        table = np.concatenate(parts, axis=1)
        own = self._own.get(str(tier))
        return table if own is None else table + own

    def broadcast(self, phones: IntArray) -> list[Messages]:
        """Return for each tier its table, block by block, for its phones among *phones*."""
        of = self._tiers.of[phones]
        batches = []
        for tier in np.unique(of).tolist():
            receiver = phones[of == tier]
            m, table = len(receiver), self.table(tier)
            blocks = self._tiers.blocks(tier).items()
            arrays = {name: np.ascontiguousarray(table[:, part]) for name, part in blocks}
            sender, base = np.full(m, SERVER, np.int64), np.full(m, self.version, np.int64)
            batches.append(Messages("parameters", sender, receiver, arrays, np.ones(m), base))
        return batches or self._fold.broadcast(phones)

    def absorb(self, messages: Messages) -> BoolArray:
        """Add the changes of blocks that *messages* hold; return which ones were accepted."""
        return self._fold.absorb(messages)

    def close(self) -> None:
        """Apply what was absorbed; then the tiers' tables are brought to agree."""
        before = self.version
        self._fold.close()
        if self._distillation is not None and self.version > before:
            self._agree(self._distillation)

    def _agree(self, how: Distillation) -> None:
        tiers = [tier for tier, dim in enumerate(self._tiers.dims) if dim]
        tables = [self.table(tier) for tier in tiers]
        n = len(tables[0])
        items = how.draws.choose(np.arange(n), min(n, how.items), self.version)
        moved = agreed(tables, items, how.step, how.passes)
        for tier, table, rows in zip(tiers, tables, moved, strict=True):
            own = self._own.setdefault(str(tier), np.zeros_like(table))
            own[items] += rows.astype(np.float32) - table[items]


def stacked(server: TierServer, tiers: Tiers) -> Array:
    """Return all tiers' tables as one array, (tiers, items, longest), zeros beyond their length."""
    tables: Sequence[Array] = [
        server.table(tier) if dim else np.zeros((0, 0), np.float32)
        for tier, dim in enumerate(tiers.dims)
    ]
    n = max(map(len, tables))
    out = np.zeros((len(tables), n, tiers.dim), np.float32)
    for place, table in zip(out, tables, strict=True):
        place[: len(table), : table.shape[1]] = table
    return out
