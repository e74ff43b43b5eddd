"""Messages of several forms in one parcel: a cohort's, whatever each of its phones really sends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.messages import Messages, joined
from droidloop.platform.state import kept_value


@kept_value
@dataclass(frozen=True)
class Mail:
    """What *count* phones send: message k of ``parts[i]`` is one of the phone ``places[i][k]``."""

    parts: tuple[Messages, ...]
    places: tuple[IntArray, ...]
    count: int

    @classmethod
    def of(cls, messages: Messages) -> "Mail":
        """Return *messages* as mail, one message a phone."""
        return cls((messages,), (np.arange(len(messages)),), len(messages))

    def nbytes(self) -> IntArray:
        """Return the bytes that each phone sends, (count,)."""
        total = np.zeros(self.count, np.int64)
        for part, place in zip(self.parts, self.places, strict=True):
            np.add.at(total, place, part.nbytes())
        return total

    def take(self, picked: IntArray) -> list[Messages]:
        """Return the messages of the phones at *picked*, sorted; empty parts are left out."""
        if len(self.parts) == 1 and len(self.parts[0]) == self.count:
            return [self.parts[0].take(picked)] if len(picked) else []
        found = []
        for part, place in zip(self.parts, self.places, strict=True):
            mine = np.flatnonzero(np.isin(place, picked))
            if len(mine):
                found.append(part.take(mine))
        return found


def alike(parts: Sequence[Messages]) -> list[list[int]]:
    """Return the numbers of *parts* in groups of the same kind, arrays, types and shapes."""
    groups: dict[object, list[int]] = {}
    for k, part in enumerate(parts):
        arrays = tuple(
            (name, values.dtype.str, values.shape[1:], name in part.rows)
            for name, values in sorted(part.arrays.items())
        )
        # what belongs to all messages of a part cannot be joined with another part
        alone = None if part.arrays.keys() == part.offsets.keys() else k
        groups.setdefault((part.kind, part.phase, arrays, alone), []).append(k)
    return list(groups.values())


def by_form(parts: Sequence[Messages]) -> list[Messages]:
    """Return *parts* joined, those together that are alike."""
    return [together([parts[k] for k in group]) for group in alike(parts)]


def together(parts: Sequence[Messages]) -> Messages:
    """Return *parts*, one or more that are alike, as one."""
    return joined(parts) if len(parts) > 1 else parts[0]
