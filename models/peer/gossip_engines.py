"""One tick of gossip learning for its receivers, by numba and by torch: the same arithmetic."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.peers import by_receiver
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.mf_sgd import Sgd, order_of
from droidloop.models.local.torch_sgd import train_phone
from droidloop.models.numerics.bounds import LARGEST
from droidloop.models.numerics.pair_gradients import LOSSES
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.workers import for_chunks

from .gossip_kernels import learn_tables

ROW_AGE = "row_age"
"""In a store that has this column, rows are merged by how often each was trained."""


@dataclass(frozen=True)
class Received:
    """The tables that receivers got: receiver k has *count[k]* of them from *first[k]* on.

    It makes ``passes[k + 1] - passes[k]`` passes over its examples: one after each table and one
    where there is none, or one after all of them.
    """

    first: IntArray
    count: IntArray
    passes: IntArray
    values: Float32Array
    rows: IntArray
    offsets: IntArray
    ages: IntArray
    row_ages: Float32Array

    @classmethod
    def of(
        cls, phones: IntArray, inbox: Messages | None, recommender: MF, once: bool
    ) -> "Received":
        """Read *inbox*; with *once* all of it is followed by a single pass.

        Raises:
            ValueError: it is not addressed to *phones* in order, or holds other tables.
        """
        first, count = by_receiver(phones, inbox)
        passes = np.zeros(len(phones) + 1, np.int64)
        np.cumsum(np.ones_like(count) if once else np.maximum(count, 1), out=passes[1:])
        [name], none = recommender.tables, np.empty(0, np.int64)
        if inbox is None:
            values, unknown = np.empty((0, recommender.dim), np.float32), np.empty(0, np.float32)
            return cls(first, count, passes, values, none, none, none, unknown)
        if inbox.arrays.keys() - {ROW_AGE} != {name} or inbox.arrays[name].shape[1:] != (
            recommender.dim,
        ):
            shapes = {key: array.shape[1:] for key, array in inbox.arrays.items()}
            raise ValueError(f"gossip needs rows of {name!r} of {recommender.dim}, not {shapes}")
        if name not in inbox.offsets:
            raise ValueError(f"{name!r} belongs to all messages; a snapshot belongs to one phone")
        values = np.ascontiguousarray(inbox.arrays[name], np.float32)
        rows = inbox.rows.get(name, none)
        row_ages = np.asarray(inbox.arrays.get(ROW_AGE, np.empty(0)), np.float32)
        return cls(first, count, passes, values, rows, inbox.offsets[name], inbox.base, row_ages)


@dataclass(frozen=True)
class Updates:
    """What receivers do in a tick: row k of *data* and of *received* belongs to ``phones[k]``.

    ``negatives[offsets[p]:offsets[p + 1]]`` are those of pass p, in the order of the examples.
    """

    recommender: MF
    sgd: Sgd
    phones: IntArray
    received: Received
    data: UserItems
    negatives: Int32Array
    offsets: IntArray
    draws: Draws
    round: int


def chance_row(phones: Any, turn: Any) -> Any:
    """Return the row of the draws of a phone's *turn*-th pass in a tick."""
    return phones + (turn << 32)


def learn_in_numba(work: Updates, store: PrivateStore, threads: int | None) -> None:
    """Merge and train in place, on *threads* threads."""
    data, got, columns = work.data, work.received, store.columns
    mf, sgd = work.recommender, work.sgd
    squared = mf.loss_name == "squared"
    labels = data.ratings if squared else np.broadcast_to(1.0, len(data.items))
    steps = np.array([sgd.lr_user, sgd.lr_rows, mf.l2], np.float32)
    largest = int(data.counts.max(initial=1))
    group = max(1, min(sgd.group(work.negatives.shape[1]), largest))
    key = np.uint64(work.draws.child(f"order/{work.round}").key)
    row_ages = columns.get(ROW_AGE, np.empty((0, 0), np.float32))
    state = (columns["user"], columns[mf.items.name], columns["age"], row_ages)

    fixed: Any = (
        *(work.phones, got.passes, got.first, got.count),
        (got.values, got.rows, got.offsets, got.ages, got.row_ages),
        *(data.items, data.offsets, labels, work.negatives, work.offsets),
        *(*state, columns["refused"], columns["diverged"]),
        *(steps, sgd.epochs, group, LOSSES[mf.loss_name], key),
    )

    def part(low: int, high: int) -> None:
        learn_tables(low, high, *fixed)

    for_chunks(part, len(work.phones), threads)


def learn_in_torch(work: Updates, store: PrivateStore) -> None:
    """Merge and train in numpy and torch, phone by phone; to float32 rounding the same."""
    got, columns, name = work.received, store.columns, work.recommender.items.name
    for k, phone in enumerate(work.phones):
        mine = {"user": columns["user"][phone][None], name: columns[name][phone]}
        params = {key: torch.from_numpy(value.copy()) for key, value in mine.items()}
        age = int(columns["age"][phone])
        row_age = columns[ROW_AGE][phone].copy() if ROW_AGE in columns else None
        m, end = int(got.first[k]), int(got.first[k] + got.count[k])
        turns = int(got.passes[k + 1] - got.passes[k])
        for turn in range(turns):
            until = end if turn == turns - 1 else m + 1
            while m < until:
                merged = _merge(got, m, params[name].numpy(), age, row_age)
                columns["refused"][phone] += merged is None
                age = age if merged is None else merged
                m += 1
            if work.data.counts[k] > 0:
                params, age = _update(work, k, turn, params), age + 1
                if row_age is not None:
                    row_age[_touched(work, k, turn)] += np.float32(1)
        if all(_moderate(value.numpy()) for value in params.values()):
            columns["user"][phone] = params["user"][0].numpy()
            columns[name][phone] = params[name].numpy()
            columns["age"][phone] = age
            if row_age is not None:
                columns[ROW_AGE][phone] = row_age
        else:
            columns["diverged"][phone] += 1


def _moderate(values: Float32Array) -> bool:
    return bool((np.abs(values) <= LARGEST).all())


def _merge(
    got: Received, m: int, table: Float32Array, age: int, row_age: Float32Array | None
) -> int | None:
    """Merge message *m* into *table*; return the new age, or None if it is refused."""
    part = slice(int(got.offsets[m]), int(got.offsets[m + 1]))
    values, rows, other = got.values[part], got.rows[part], int(got.ages[m])
    if len(got.rows) == 0:
        rows = np.arange(len(values))
        whole = len(values) in (0, len(table))
    else:
        whole = bool(((rows >= 0) & (rows < len(table))).all())
    if other < 0 or not whole or not _moderate(values):
        return None
    if row_age is not None:
        theirs = got.row_ages[part]
        if not ((theirs >= 0) & (theirs <= LARGEST)).all():
            return None
        taken = (theirs / np.maximum(row_age[rows] + theirs, np.float32(1e-30)))[:, None]
        table[rows] = (1 - taken) * table[rows] + taken * values
        row_age[rows] = (1 - taken[:, 0]) * row_age[rows] + taken[:, 0] * theirs
        return max(age, other)
    share = np.float32(other / (age + other) if age + other > 0 else 0.5)
    table[rows] = (1 - share) * table[rows] + share * values
    return max(age, other)


def _touched(work: Updates, k: int, turn: int) -> IntArray:
    """Return the rows that receiver k's pass trains."""
    mine = slice(int(work.data.offsets[k]), int(work.data.offsets[k + 1]))
    touched = work.data.items[mine]
    if work.negatives.shape[1]:
        start = int(work.offsets[work.received.passes[k] + turn])
        drawn = work.negatives[start : start + len(touched)].reshape(-1)
        touched = np.concatenate([touched, drawn[drawn >= 0]])
    return np.unique(touched)


def _update(
    work: Updates, k: int, turn: int, params: dict[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return *params* after receiver k's local training of one pass."""
    data, row = work.data, int(chance_row(int(work.phones[k]), turn))
    mine = slice(int(data.offsets[k]), int(data.offsets[k + 1]))
    count = mine.stop - mine.start
    negatives = np.empty((count, 0), np.int32)
    if work.negatives.shape[1]:
        start = int(work.offsets[work.received.passes[k] + turn])
        negatives = work.negatives[start : start + count]
    order = order_of(work.draws, row, work.round, count, work.sgd.epochs)
    return train_phone(
        work.recommender, params, data.items[mine], data.ratings[mine], negatives, order, work.sgd
    )
