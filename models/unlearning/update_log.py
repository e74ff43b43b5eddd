"""What phones remember of their own updates, under a cap of bytes each: records of two kinds.

A *length* says how far one row moved in an update: all that a replay needs of it, in 12 bytes. An
*undo* record is what was private to the phone before an update. Where a phone's records are more
than its cap, those of the smallest changes go first, of either kind.
"""

from typing import Any

import numpy as np

from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.state import Stateful

Records = np.ndarray[Any, np.dtype[np.void]]

_UPDATE = [("phone", np.int32), ("version", np.int32), ("number", np.int32), ("length", np.float32)]
"""Of an update: whose it is, from which version of the model, in which turn, and how far."""
LENGTH_DTYPE = np.dtype([*_UPDATE, ("row", np.int32)])
LENGTH_BYTES = 12
"""Turn, row and length: whose it is a phone knows, which version a turn began from the server."""
_UNDO_BYTES = 8
"""Turn and length of an undo record, beside the numbers themselves."""


class UpdateLog(Stateful):
    """The records of all phones; ``undo`` has the fields of a length and ``private``."""

    STATE = ("lengths", "undo")

    def __init__(self, private_numbers: int, cap_bytes: int | None) -> None:
        """Know nothing; *private_numbers* are private to a phone, a cap of None is none."""
        self._cap_bytes = cap_bytes
        self.lengths: Records = np.zeros(0, LENGTH_DTYPE)
        self.undo: Records = np.zeros(0, [*_UPDATE, ("private", np.float32, (private_numbers,))])
        self.undo_bytes = _UNDO_BYTES + 4 * private_numbers

    def add(
        self,
        phones: IntArray,
        versions: IntArray,
        numbers: IntArray,
        rows: tuple[IntArray, IntArray, FloatArray],
        private: Array,
        moved: FloatArray,
    ) -> None:
        """Note an update of each of *phones*, from the model of its version, in the turn *numbers*.

        *rows* are, one each: the place of a phone, a row that it moved, and how far. *private* is
        what was private before, (phones, numbers), and *moved* how far that has moved, (phones,).
        """
        place, row, length = rows
        lengths = np.zeros(len(row), LENGTH_DTYPE)
        lengths["phone"], lengths["version"] = phones[place], versions[place]
        lengths["number"], lengths["row"], lengths["length"] = numbers[place], row, length
        undo = np.zeros(len(phones), self.undo.dtype)
        undo["phone"], undo["version"], undo["number"] = phones, versions, numbers
        undo["length"], undo["private"] = moved, private
        self.lengths = np.concatenate([self.lengths, lengths])
        self.undo = np.concatenate([self.undo, undo])
        if self._cap_bytes is not None:
            self._fit(phones, self._cap_bytes)

    def nbytes(self, phones: int) -> IntArray:
        """Return the bytes that each of so many *phones* keeps."""
        lengths = np.bincount(self.lengths["phone"], minlength=phones) * LENGTH_BYTES
        undo = np.bincount(self.undo["phone"], minlength=phones) * self.undo_bytes
        return np.asarray(lengths + undo, np.int64)

    def take_from(self, version: int) -> tuple[Records, Records]:
        """Take the records of updates from that version on out of the log, and return them."""
        late, undone = self.lengths["version"] >= version, self.undo["version"] >= version
        taken = self.lengths[late], self.undo[undone]
        self.lengths, self.undo = self.lengths[~late], self.undo[~undone]
        return taken

    def drop(self, phones: IntArray) -> None:
        """Keep nothing of *phones*."""
        self.lengths = self.lengths[~np.isin(self.lengths["phone"], phones)]
        self.undo = self.undo[~np.isin(self.undo["phone"], phones)]

    def _fit(self, phones: IntArray, cap_bytes: int) -> None:
        """Throw away the smallest changes of those of *phones* that have more than their cap."""
        lengths = np.flatnonzero(np.isin(self.lengths["phone"], phones))
        undo = np.flatnonzero(np.isin(self.undo["phone"], phones))
        parts = (self.lengths[lengths], self.undo[undo])
        phone = np.concatenate([part["phone"] for part in parts])
        far = np.concatenate([part["length"] for part in parts])
        size = np.repeat([LENGTH_BYTES, self.undo_bytes], [len(lengths), len(undo)])
        order = np.lexsort((-far, phone))
        filled = np.cumsum(size[order])
        first = np.flatnonzero(np.diff(phone[order], prepend=-1))
        before = np.repeat(filled[first] - size[order][first], np.diff([*first, len(order)]))
        fits = np.zeros(len(order), np.bool_)
        fits[order] = filled - before <= cap_bytes
        kept = np.ones(len(self.lengths), np.bool_)
        kept[lengths] = fits[: len(lengths)]
        known = np.ones(len(self.undo), np.bool_)
        known[undo] = fits[len(lengths) :]
        self.lengths, self.undo = self.lengths[kept], self.undo[known]
