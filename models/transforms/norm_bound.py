"""A bound on the norm of updates: the receiver shrinks what is longer.

Sun et al., Can You Really Backdoor Federated Learning? (2019): however large what one phone sends,
it moves the model no further than ``bound``. What a table that arrives changes is its difference
from the one that the receiver has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from droidloop.models.interfaces.learning import Cost
from droidloop.models.interfaces.transforms import Setting, State
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Positive, Section

from .plain import PlainTransform


class NormBoundSection(Section):
    """Updates that are longer than a bound are shrunk to it by whoever receives them."""

    bound: Positive = 1.0
    """The largest Euclidean norm of all that one message would change."""


@dataclass
class NormBound(PlainTransform):
    """The transform.

    Attributes:
        bound: of the norm.
        setting: where the receivers' own values are.
        counts: messages that were opened, and that were shrunk, since the last note.
    """

    bound: float
    setting: Setting
    counts: IntArray

    def open(self, sealed: Messages, number: int) -> Messages:
        """Return *sealed* with what would change more than the bound nearer to what is there."""
        own = {name: self._own(sealed, name) for name in sealed.offsets}
        found = {name: values for name, values in own.items() if values is not None}
        square = np.zeros(len(sealed))
        change = {}
        for name, values in found.items():
            change[name] = sealed.arrays[name].astype(np.float64) - values
            square += _sums(change[name] ** 2, sealed.offsets[name])
        norm = np.sqrt(square)
        long = norm > self.bound
        self.counts += len(sealed), int(np.count_nonzero(long))
        if not long.any():
            return sealed
        scale = np.where(long, self.bound / np.where(long, norm, 1.0), 1.0)
        arrays = dict(sealed.arrays)
        for name, values in found.items():
            owner = np.repeat(np.arange(len(sealed)), np.diff(sealed.offsets[name]))
            each = scale[owner].reshape(-1, *[1] * (change[name].ndim - 1))
            shrunk = (values + each * change[name]).astype(sealed.arrays[name].dtype)
            within = ~long[owner]
            shrunk[within] = sealed.arrays[name][within]
            arrays[name] = shrunk
        return replace(sealed, arrays=arrays)

    def opening(self, sealed: Messages) -> Cost:
        """Return the cost: a difference, a square, a sum and a move for each number."""
        numbers, moved = np.zeros(len(sealed), np.int64), np.zeros(len(sealed), np.int64)
        for name, offsets in sealed.offsets.items():
            values = sealed.arrays[name]
            mine = np.diff(offsets) * int(np.prod(values.shape[1:], dtype=np.int64))
            numbers += mine
            moved += 3 * values.dtype.itemsize * mine
        return Cost(6 * numbers, moved, np.zeros(len(sealed), np.int64))

    def notes(self) -> Mapping[str, int]:
        """Return how many messages were opened and shrunk."""
        opened, shrunk = self.counts.tolist()
        self.counts[:] = 0
        return {"norm_opened": opened, "norm_shrunk": shrunk}

    def state(self) -> State:
        """Return the counters."""
        return {"counts": self.counts}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Go on with the counters in *state*."""
        self.counts[:] = state["counts"]

    def _own(self, sealed: Messages, name: str) -> Array | FloatArray | None:
        """Return what receivers have in the place of the rows of *name*; None: it is no update."""
        server, store = self.setting.server, self.setting.store
        offsets, rows = sealed.offsets[name], sealed.rows.get(name)
        if server is not None:
            if name not in server.params:
                return None
            if sealed.kind != "parameters":
                return np.zeros(1)
            table = server.params[name].numpy()
            place = _places(offsets) if rows is None else rows
            return np.asarray(table[place], np.float64)
        if name not in store.columns or (sealed.receiver == SERVER).any():
            return None
        place = _places(offsets) if rows is None else rows
        receiver = np.repeat(sealed.receiver, np.diff(offsets))
        store.ensure(np.unique(sealed.receiver))
        return np.asarray(store.columns[name][receiver, place], np.float64)


def _places(offsets: IntArray) -> IntArray:
    """Return the place of each row in its message."""
    return np.arange(offsets[-1]) - np.repeat(offsets[:-1], np.diff(offsets))


def _sums(values: FloatArray, offsets: IntArray) -> FloatArray:
    """Return the sum of the rows of each message, by itself: independent of who comes with it."""
    each = values.sum(axis=tuple(range(1, values.ndim)))
    return np.array([each[a:b].sum() for a, b in pairwise(offsets.tolist())])


def build(section: NormBoundSection, setting: Setting) -> NormBound:
    """Return the transform as *section* wants it."""
    return NormBound(section.bound, setting, np.zeros(2, np.int64))


METHOD = Method(
    kind="transform",
    name="norm-bound",
    section=NormBoundSection,
    build=build,
    source="Sun et al.: Can You Really Backdoor Federated Learning? (2019)",
    needs={"protocol": frozenset({"sends"})},
    accepts={"rule": frozenset({"server", "own-table"})},
)
