"""Messages: the only thing that crosses a link, as one ragged batch.

Gradients, parameters, scores, patches, codes and peer embeddings are all named arrays, some given
for a subset of rows, with a kind and a weight. Bytes are counted here, once, so that every
system's communication is comparable.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .arrays import Array, FloatArray, IntArray
from .law import kernel
from .state import kept_value

SERVER = -1
"""The address of the server; phones have their row number."""

HEADER_BYTES = 32
"""Kind, sender, receiver, base version, weight and length, as sent before the arrays."""

ROW_ID_BYTES = 4


@kept_value
@dataclass(frozen=True)
class Messages:
    """*m* messages of one kind.

    ``arrays[name]`` holds the rows of all messages, one after the other: message *k* owns
    ``offsets[name][k]:offsets[name][k + 1]``. With ``rows[name]`` these are the rows of that number
    of a table, without it they are the whole array. A broadcast is stored once: an array without
    offsets belongs to every message, and is counted for each receiver.
    """

    kind: str
    sender: IntArray
    receiver: IntArray
    arrays: dict[str, Array]
    weight: FloatArray
    base: IntArray
    rows: dict[str, IntArray] = field(default_factory=dict)
    offsets: dict[str, IntArray] = field(default_factory=dict)
    phase: int = 0

    def __post_init__(self) -> None:
        m = len(self.sender)
        if not (len(self.receiver) == len(self.weight) == len(self.base) == m):
            raise ValueError(f"{m} senders, but other columns have another length")
        for name in (self.offsets.keys() | self.rows.keys()) - self.arrays.keys():
            raise ValueError(f"offsets or row numbers of {name!r}, which is no array")
        for name, offsets in self.offsets.items():
            ends = (0, len(self.arrays[name]))
            if len(offsets) != m + 1 or (offsets[0], offsets[-1]) != ends:
                raise ValueError(f"offsets of {name!r} do not cover its rows")
            if (np.diff(offsets) < 0).any():
                raise ValueError(f"offsets of {name!r} fall")
        for name, rows in self.rows.items():
            if len(rows) != len(self.arrays[name]):
                raise ValueError(f"{name!r} has {len(self.arrays[name])} rows and {len(rows)} ids")

    def __len__(self) -> int:
        return len(self.sender)

    def nbytes(self) -> IntArray:
        """Return the bytes of each message as sent, shape (m,)."""
        total = np.full(len(self), HEADER_BYTES, np.int64)
        for name, array in self.arrays.items():
            per_row = array.dtype.itemsize * int(np.prod(array.shape[1:], dtype=np.int64))
            per_row += ROW_ID_BYTES if name in self.rows else 0
            if name in self.offsets:
                total += np.diff(self.offsets[name]) * per_row
            else:
                total += len(array) * per_row
        return total

    def take(self, index: Any) -> "Messages":
        """Return the messages at *index* (numbers or a mask), their rows gathered.

        Messages that lie one after the other are not copied.
        """
        picked = np.arange(len(self))[index]
        arrays, rows, offsets = dict(self.arrays), dict(self.rows), {}
        neighbours = len(picked) > 0 and bool((np.diff(picked) == 1).all())
        for name, old in self.offsets.items():
            where: Any
            if neighbours:
                first, end = old[picked[0]], old[picked[-1] + 1]
                where, offsets[name] = slice(first, end), old[picked[0] : picked[-1] + 2] - first
            else:
                where, offsets[name] = ragged(old, picked)
            arrays[name] = self.arrays[name][where]
            if name in rows:
                rows[name] = self.rows[name][where]
        return Messages(
            self.kind,
            self.sender[picked],
            self.receiver[picked],
            arrays,
            self.weight[picked],
            self.base[picked],
            rows,
            offsets,
            self.phase,
        )


def joined(parts: Sequence[Messages]) -> Messages:
    """Return the messages of *parts*, which are of one kind and phase, one after the other.

    Raises:
        ValueError: there are no parts, or an array belongs to all messages of a part.
    """
    if not parts:
        raise ValueError("there are no messages to join")
    head = parts[0]
    if any(part.arrays.keys() != part.offsets.keys() for part in parts):
        raise ValueError("an array without offsets belongs to one part alone: it cannot be joined")
    arrays, rows, offsets = {}, {}, {}
    for name in head.arrays:
        starts = np.cumsum([0, *(len(part.arrays[name]) for part in parts)])
        arrays[name] = np.concatenate([part.arrays[name] for part in parts])
        ends = [part.offsets[name][1:] + start for part, start in zip(parts, starts, strict=False)]
        offsets[name] = np.concatenate([np.zeros(1, np.int64), *ends])
        if name in head.rows:
            rows[name] = np.concatenate([part.rows[name] for part in parts])
    return Messages(
        head.kind,
        np.concatenate([part.sender for part in parts]),
        np.concatenate([part.receiver for part in parts]),
        arrays,
        np.concatenate([part.weight for part in parts]),
        np.concatenate([part.base for part in parts]),
        rows,
        offsets,
        head.phase,
    )


def ragged(offsets: IntArray, picked: IntArray) -> tuple[IntArray, IntArray]:
    """Return the positions of the values of rows *picked*, and the offsets of the result."""
    out = np.zeros(len(picked) + 1, np.int64)
    np.cumsum(offsets[picked + 1] - offsets[picked], out=out[1:])
    where = np.empty(out[-1], np.int64)
    _fill(offsets, picked, out, where)
    return where, out


@kernel
def _fill(offsets: IntArray, picked: IntArray, out: IntArray, where: IntArray) -> None:
    for k in range(picked.size):
        shift = offsets[picked[k]] - out[k]
        for t in range(out[k], out[k + 1]):
            where[t] = t + shift
