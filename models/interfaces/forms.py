"""What a receiver expects of messages: which kinds, which arrays, of which shape and size.

A rule states the form of what it takes. Whoever looks at a message before a rule does needs
nothing else, so that every protocol checks alike (``models/transforms/inspection.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from droidloop.models.numerics.bounds import LARGEST
from droidloop.platform.messages import Messages


@dataclass(frozen=True)
class ArrayForm:
    """One array of a message.

    Attributes:
        shape: of the whole array; a message may hold no rows at all.
        dtype: of its numbers.
        numbered: whether its rows have numbers, each once (True), are all there (False), or
            either (None).
        ragged: whether it holds any number of rows, which have no numbers.
        low: the least number it may hold.
        high: the largest.
        like: the array with which it shares its rows, if any.
        needed: whether a message without it is of the wrong form.
    """

    shape: tuple[int, ...]
    dtype: str = "float32"
    numbered: bool | None = None
    ragged: bool = False
    low: float = -float(LARGEST)
    high: float = float(LARGEST)
    like: str | None = None
    needed: bool = False


@dataclass(frozen=True)
class Form:
    """What a message holds.

    Attributes:
        kinds: of messages.
        arrays: by name; a message holds at least one.
        phase: in which they are sent.
    """

    kinds: frozenset[str]
    arrays: Mapping[str, ArrayForm] = field(default_factory=dict)
    phase: int = 0

    def with_row(self, name: str, dim: int) -> "Form":
        """Return this form with an array *name* of one row of *dim* numbers, which is needed."""
        one = ArrayForm((1, dim), numbered=False, needed=True)
        return replace(self, arrays={**self.arrays, name: one})

    def fits(self, messages: Messages) -> bool:
        """Return whether kind, names, types and shapes are right; they are those of all at once."""
        if messages.kind not in self.kinds or messages.phase != self.phase:
            return False
        if not messages.arrays.keys() <= self.arrays.keys():
            return False
        needed = {name for name, array in self.arrays.items() if array.needed}
        if not messages.arrays or not needed <= messages.arrays.keys():
            return False
        return all(self._fits(messages, name) for name in messages.arrays)

    def _fits(self, messages: Messages, name: str) -> bool:
        values, form = messages.arrays[name], self.arrays[name]
        numbered = name in messages.rows
        good = values.dtype == np.dtype(form.dtype) and values.shape[1:] == form.shape[1:]
        good &= form.numbered is None or numbered == form.numbered
        good &= not (form.ragged and numbered)
        good &= name in messages.offsets or len(messages) == 1
        return good
