"""Personal item tables: each phone scores with the rows that it trained itself.

Stored are the tables that phones received, each once, and of every phone the rows that it changed
when it trained last: the memory is that of uploads, not users x items x dim.
"""

from dataclasses import dataclass
from typing import final

import numpy as np
import torch

from droidloop.models.interfaces.learning import ItemRecommender, Params
from droidloop.platform.arrays import Float32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.messages import Messages
from droidloop.platform.state import Stateful, kept_value

from .metrics import Scores

_BATCH_NUMBERS = 2**24
"""Numbers of gathered rows in one batch of scores, at most: 64 MiB."""


@kept_value
@dataclass(frozen=True)
class _Layer:
    """What phones that trained from the same table hold: that table, and their changes of rows."""

    table: dict[str, Float32Array]
    sent: Messages


@final
class PersonalTables(Stateful):
    """The item table that each phone holds: what it received last, with the rows it changed then.

    *name* is the table's; the parameters that it owns have names that start with it.

    A phone that has trained nothing has no table of its own: where one is needed, the caller's
    stands in, such as the one that the server would send it now.

    >>> tables = PersonalTables("item", n_phones=3)
    >>> table, items = np.ones((5, 2), np.float32), np.array([[4], [0]])
    >>> tables.rows(np.array([0, 2]), items, table).shape
    (2, 1, 2)
    """

    STATE = ("_layers", "_layer", "_place")

    def __init__(self, name: str, n_phones: int) -> None:
        self.name = name
        self._layers: list[_Layer] = []
        self._layer = np.full(n_phones, -1)  # the place of a phone's layer
        self._place = np.zeros(n_phones, np.int64)  # and that of its message there

    def __len__(self) -> int:
        return len(self._layer)

    def remember(self, inbox: Messages, sent: Messages) -> None:
        """Take what phones received and what they made of it; their older tables are forgotten.

        Args:
            inbox: one table for all of them.
            sent: of kind ``delta`` with row numbers, sorted by message; each phone once.

        Raises:
            ValueError: *sent* holds whole tables or something else than changes, or a phone twice.
        """
        names = [name for name in inbox.arrays if name.startswith(self.name)]
        shared = all(name in sent.rows and name not in inbox.offsets for name in names)
        if sent.kind != "delta" or not names or not shared:
            raise ValueError(
                f"personal tables need changes of rows of one table, not whole {sent.kind!r}"
            )
        if len(np.unique(sent.sender)) < len(sent):
            raise ValueError("a phone has sent two tables at once")
        table = {name: np.ascontiguousarray(inbox.arrays[name], np.float32) for name in names}
        self._layer[sent.sender] = len(self._layers)
        self._place[sent.sender] = np.arange(len(sent))
        self._layers.append(_Layer(table, sent))
        self._tidy()

    def snapshot(self) -> "PersonalTables":
        """Return the tables as they are now; what is remembered later does not change them."""
        copy = PersonalTables(self.name, len(self))
        copy._layers = list(self._layers)
        copy._layer, copy._place = self._layer.copy(), self._place.copy()
        return copy

    @property
    def nbytes(self) -> int:
        """The bytes of all tables and changes together; a table that layers share counts once."""
        shared: dict[int, int] = {}
        own = 0
        for layer in self._layers:
            for name, table in layer.table.items():
                shared[id(table)] = table.nbytes
                own += layer.sent.arrays[name].nbytes + layer.sent.rows[name].nbytes
        return own + sum(shared.values())

    def rows(
        self, phones: IntArray, items: IntArray, otherwise: Float32Array, name: str | None = None
    ) -> Float32Array:
        """Return the rows *items* (phones, width) of each phone's own parameter *name*.

        A change that is NaN or infinite counts as none: a phone whose training diverged has the
        table that it received. A phone without a table has *otherwise*. Shape (phones, width, dim).
        *name* is the table's own unless given.
        """
        name = name or self.name
        out = np.empty((*items.shape, otherwise.shape[1]), np.float32)
        none = np.empty(0, np.int64), np.zeros(2, np.int64), np.empty((0, 1), np.float32)
        for number in np.unique(self._layer[phones]):
            chosen = np.flatnonzero(self._layer[phones] == number)
            if number < 0:
                _gather(chosen, np.zeros_like(chosen), items, otherwise, *none, out)
                continue
            layer = self._layers[number]
            ids, offsets = layer.sent.rows[name], layer.sent.offsets[name]
            changes = layer.sent.arrays[name]
            places = self._place[phones[chosen]]
            _gather(chosen, places, items, layer.table[name], ids, offsets, changes, out)
        return out

    def _tidy(self) -> None:
        """Drop layers that no phone holds; copy what is held of those that few do."""
        counts = np.bincount(self._layer[self._layer >= 0], minlength=len(self._layers))
        kept: list[_Layer] = []
        numbers = np.full(len(self._layers) + 1, -1)
        for number, layer in enumerate(self._layers):
            if counts[number] == 0:
                continue
            numbers[number] = len(kept)
            if 2 * counts[number] <= len(layer.sent):
                holders = np.flatnonzero(self._layer == number)
                places = self._place[holders]
                self._place[holders] = np.arange(len(holders))
                layer = _Layer(layer.table, layer.sent.take(places))
            kept.append(layer)
        self._layer = numbers[self._layer]  # -1 picks the last one, which is -1
        self._layers = kept


@dataclass(frozen=True)
class PersonalScorer:
    """Scores of each user by the user's own item table and private parameters.

    Attributes:
        recommender: any one of a table that is read by row.
        params: shared parameters and private ones; the item table among them is that of phones
            without their own.
        tables: of the phones, user *u* on phone *u*.
    """

    recommender: ItemRecommender
    params: Params
    tables: PersonalTables

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items, shape (users, items)."""
        n_items = self.recommender.n_items
        return self.some(users, np.broadcast_to(np.arange(n_items), (len(users), n_items)))

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*, shape (users, width), for the user of each row."""
        return self.crossed(users, users, items)

    def crossed(self, users: IntArray, owners: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items* for *users* with the tables of *owners*, row by row."""
        out = np.empty(items.shape, np.float32)
        size = max(1, _BATCH_NUMBERS // max(1, items.shape[1] * self.recommender.dim))
        for start in range(0, len(users), size):
            part = slice(start, start + size)
            out[part] = self._batch(users[part], owners[part], items[part])
        return out

    def _batch(self, users: IntArray, owners: IntArray, items: IntArray) -> Scores:
        parts = self.recommender.items.computed(items)
        for name, rows in self.recommender.items.rows_of(items).items():
            flat = np.asarray(rows, np.int64).reshape(len(items), -1)
            shared = np.asarray(self.params[name].numpy(), np.float32)
            found = self.tables.rows(owners, flat, shared, name)
            parts[name] = torch.from_numpy(found.reshape(*rows.shape, *shared.shape[1:]))
        with torch.no_grad():
            vectors = self.recommender.items.compose(parts)
            users_of = torch.from_numpy(users)[:, None]
            scores = self.recommender.score_vectors(self.params, users_of, vectors)
        return np.asarray(scores.numpy(), np.float32)


@kernel
def _gather(
    chosen: IntArray,
    places: IntArray,
    items: IntArray,
    table: Float32Array,
    ids: IntArray,
    offsets: IntArray,
    changes: Float32Array,
    out: Float32Array,
) -> None:
    """Fill the rows *chosen* of *out*; row ``chosen[k]`` is of the message at ``places[k]``."""
    dim = table.shape[1]
    for k in range(chosen.size):
        line, first = chosen[k], offsets[places[k]]
        mine = ids[first : offsets[places[k] + 1]]
        for s in range(items.shape[1]):
            item = items[line, s]
            for j in range(dim):
                out[line, s, j] = table[item, j]
            r = np.searchsorted(mine, item)
            if r == mine.size or mine[r] != item:
                continue
            sound = True
            for j in range(dim):
                sound &= np.isfinite(changes[first + r, j])
            for j in range(dim if sound else 0):
                out[line, s, j] += changes[first + r, j]
