"""Personal item tables: each phone scores with the rows that it trained itself.

Stored are the table that the phones of a round received, once, and of each phone the rows that it
changed, so the memory is that of the round's uploads and not users x items x dim.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numba import njit

from droidloop.platform.draws import IntArray
from droidloop.platform.messages import Array, Messages, ragged

from .interfaces import Params, Recommender
from .kernels import Float32Array
from .metrics import Scores

_BATCH_NUMBERS = 2**24
"""Numbers of gathered rows in one batch of scores, at most: 64 MiB."""


@dataclass(frozen=True)
class PersonalTables:
    """The item tables of all phones after a round.

    A phone that was not in the round has the table that the others received.

    Attributes:
        table: what was received, (n_items, dim).
        ids: the changed items of each phone, sorted, ragged.
        offsets: phone *u* owns ``ids[offsets[u]:offsets[u + 1]]``, (n_phones + 1,).
        changes: what the phone added to the row of each of *ids*, (len(ids), dim).
    """

    table: Float32Array
    ids: IntArray
    offsets: IntArray
    changes: Float32Array

    @classmethod
    def of(
        cls, name: str, table: Array, uploads: Sequence[Messages], n_phones: int
    ) -> "PersonalTables":
        """Return the tables *name* of *n_phones* after a round.

        Args:
            name: of the item table in the messages.
            table: what all senders of *uploads* received and trained from, (n_items, dim).
            uploads: of the kind ``delta``, with row numbers; a phone sends at most one.
            n_phones: phones are numbered from 0.

        Raises:
            ValueError: uploads hold whole tables or something else than changes, or a phone sends
                twice.
        """
        for sent in uploads:
            if sent.kind != "delta" or name not in sent.rows:
                raise ValueError(f"personal tables need changes of rows, not whole {sent.kind!r}")
        senders = np.concatenate([np.empty(0, np.int64), *(sent.sender for sent in uploads)])
        counts = np.zeros(n_phones, np.int64)
        for sent in uploads:
            counts[sent.sender] += np.diff(sent.offsets[name])
        offsets = np.concatenate([[0], np.cumsum(counts)])
        if len(np.unique(senders)) < len(senders):
            raise ValueError("a phone has sent two tables in one round")
        ids = np.empty(offsets[-1], np.int64)
        changes = np.empty((offsets[-1], table.shape[1]), np.float32)
        for sent in uploads:
            where, _ = ragged(offsets, sent.sender)
            ids[where], changes[where] = sent.rows[name], sent.arrays[name]
        return cls(np.ascontiguousarray(table, np.float32), ids, offsets, changes)

    @property
    def nbytes(self) -> int:
        """The bytes that the tables take together."""
        return sum(a.nbytes for a in (self.table, self.ids, self.offsets, self.changes))

    def rows(self, phones: IntArray, items: IntArray) -> Float32Array:
        """Return the vectors of *items* (phones, width) in the table of the phone of each row.

        A change that is NaN or infinite counts as none: a phone whose training diverged has the
        table that it received. Shape (phones, width, dim).
        """
        out = np.empty((*items.shape, self.table.shape[1]), np.float32)
        _gather(phones, items, self.table, self.ids, self.offsets, self.changes, out)
        return out


@dataclass(frozen=True)
class PersonalScorer:
    """Scores of each user by the user's own item table and private parameters.

    Attributes:
        recommender: any one whose scores look up one item table by its name.
        params: shared parameters (the item table among them is not used) and private ones.
        tables: of the phones, user *u* on phone *u*.
    """

    recommender: Recommender
    params: Params
    tables: PersonalTables

    def every(self, users: IntArray) -> Scores:
        """Return the scores of all items, shape (users, items)."""
        n_items = len(self.tables.table)
        return self.some(users, np.broadcast_to(np.arange(n_items), (len(users), n_items)))

    def some(self, users: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items*, shape (users, width), for the user of each row."""
        return self.crossed(users, users, items)

    def crossed(self, users: IntArray, owners: IntArray, items: IntArray) -> Scores:
        """Return the scores of *items* for *users* with the tables of *owners*, row by row."""
        out = np.empty(items.shape, np.float32)
        size = max(1, _BATCH_NUMBERS // max(1, items.shape[1] * self.tables.table.shape[1]))
        for start in range(0, len(users), size):
            part = slice(start, start + size)
            out[part] = self._batch(users[part], owners[part], items[part])
        return out

    def _batch(self, users: IntArray, owners: IntArray, items: IntArray) -> Scores:
        [name] = self.recommender.tables
        rows = self.tables.rows(owners, items)
        places = torch.arange(items.size).reshape(items.shape)
        # the gathered rows stand in for the table: an item is looked up by its place among them
        params = self.params | {name: torch.from_numpy(rows.reshape(items.size, -1))}
        with torch.no_grad():
            scores = self.recommender.score(params, torch.from_numpy(users)[:, None], places)
        return np.asarray(scores.numpy(), np.float32)


@njit(cache=True)
def _gather(
    phones: IntArray,
    items: IntArray,
    table: Float32Array,
    ids: IntArray,
    offsets: IntArray,
    changes: Float32Array,
    out: Float32Array,
) -> None:
    dim = table.shape[1]
    for k in range(phones.size):
        first = offsets[phones[k]]
        mine = ids[first : offsets[phones[k] + 1]]
        for s in range(items.shape[1]):
            item = items[k, s]
            for j in range(dim):
                out[k, s, j] = table[item, j]
            r = np.searchsorted(mine, item)
            if r == mine.size or mine[r] != item:
                continue
            sound = True
            for j in range(dim):
                sound &= np.isfinite(changes[first + r, j])
            for j in range(dim if sound else 0):
                out[k, s, j] += changes[first + r, j]
