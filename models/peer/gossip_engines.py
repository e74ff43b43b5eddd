"""One tick of gossip learning for its receivers, by numba and by torch: the same arithmetic."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import (
    EmbeddingTable,
    ItemRecommender,
    Parameter,
    Params,
    shared_parameters,
)
from droidloop.models.interfaces.peers import by_receiver
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.cohort import in_rows
from droidloop.models.local.mf_sgd import labels_of
from droidloop.models.local.sgd import Examples, Sgd, order_of
from droidloop.models.local.torch_sgd import train_phone
from droidloop.models.numerics.bounds import LARGEST
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.numerics.pair_gradients import LOSSES
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.vector_model import in_step
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.workers import for_chunks

from .gossip_kernels import learn_tables

ROW_AGE = "row_age"
"""In a store that has this column, rows are merged by how often each was trained."""


def row_age_of(name: str, table: EmbeddingTable) -> str:
    """Return the column of the ages of the rows of the parameter *name* of *table*."""
    return ROW_AGE + name.removeprefix(table.name)


@dataclass(frozen=True)
class Part:
    """What messages hold of one parameter: rows, all if *rows* is empty, and maybe their ages."""

    values: Float32Array
    rows: IntArray
    offsets: IntArray
    row_ages: Float32Array


@dataclass(frozen=True)
class Received:
    """The models that receivers got: receiver k has *count[k]* of them from *first[k]* on.

    It makes ``passes[k + 1] - passes[k]`` passes over its examples: one after each model and one
    where there is none, or one after all of them. *parts* are the messages' by parameter.
    """

    first: IntArray
    count: IntArray
    passes: IntArray
    ages: IntArray
    parts: dict[str, Part]

    @classmethod
    def of(
        cls, phones: IntArray, inbox: Messages | None, recommender: ItemRecommender, once: bool
    ) -> "Received":
        """Read *inbox*; with *once* all of it is followed by a single pass.

        Raises:
            ValueError: it is not addressed to *phones* in order, or holds other parameters.
        """
        first, count = by_receiver(phones, inbox)
        passes = np.zeros(len(phones) + 1, np.int64)
        np.cumsum(np.ones_like(count) if once else np.maximum(count, 1), out=passes[1:])
        wanted, none = trained_parameters(recommender), np.empty(0, np.int64)
        ages = {name: row_age_of(name, recommender.items) for name in wanted}
        if inbox is not None and inbox.arrays.keys() - ages.values() != wanted.keys():
            raise ValueError(f"gossip needs {', '.join(wanted)}, not {', '.join(inbox.arrays)}")
        parts = {}
        for name, parameter in wanted.items():
            row = parameter.shape[1:]
            if inbox is None:
                nothing = np.empty((0, *row), np.float32)
                parts[name] = Part(nothing, none, none, np.empty(0, np.float32))
                continue
            if inbox.arrays[name].shape[1:] != row:
                width = " x ".join(map(str, row))
                raise ValueError(
                    f"gossip needs rows of {name!r} of {width}, not {inbox.arrays[name].shape}"
                )
            if name not in inbox.offsets:
                raise ValueError(
                    f"{name!r} belongs to all messages; a snapshot belongs to one phone"
                )
            values = np.ascontiguousarray(inbox.arrays[name], np.float32)
            row_ages = np.asarray(inbox.arrays.get(ages[name], np.empty(0)), np.float32)
            parts[name] = Part(values, inbox.rows.get(name, none), inbox.offsets[name], row_ages)
        return cls(first, count, passes, none if inbox is None else inbox.base, parts)


def trained_parameters(recommender: ItemRecommender) -> dict[str, Parameter]:
    """Return the shared parameters that phones train and exchange."""
    every = shared_parameters(recommender)
    return {name: parameter for name, parameter in every.items() if parameter.trained}


@dataclass(frozen=True)
class Updates:
    """What receivers do in a tick: row k of *data* and of *received* belongs to ``phones[k]``.

    ``negatives[offsets[p]:offsets[p + 1]]`` are those of pass p, in the order of the examples.
    """

    recommender: ItemRecommender
    sgd: Sgd
    phones: IntArray
    received: Received
    data: UserItems
    negatives: Int32Array
    offsets: IntArray
    draws: Draws
    round: int
    own_weight: float


def chance_row(phones: Any, turn: Any) -> Any:
    """Return the row of the draws of a phone's *turn*-th pass in a tick."""
    return phones + (turn << 32)


def learn_in_numba(work: Updates, store: PrivateStore, mf: MF, threads: int | None) -> None:
    """Merge and train in place, on *threads* threads; *mf* is the model, on a plain table."""
    got, columns, sgd = work.received, store.columns, work.sgd
    data, negatives = in_rows(mf.items, work.data, work.negatives)
    steps = np.array([sgd.lr_user, sgd.lr_rows, mf.l2], np.float32)
    examples = Examples(work.phones, data, negatives, work.draws, work.round)
    [(name, part)] = got.parts.items()
    [own] = mf.private
    row_ages = columns.get(row_age_of(name, mf.items), np.empty((0, 0), np.float32))
    state = (columns[own], columns[name], columns["age"], row_ages)

    fixed: Any = (
        *(work.phones, got.passes, got.first, got.count),
        (part.values, part.rows, part.offsets, got.ages, part.row_ages),
        *(data.items, data.offsets, labels_of(data, mf.loss_name), negatives, work.offsets),
        *(*state, columns["diverged"], np.float32(work.own_weight)),
        *(steps, sgd.epochs, examples.group(sgd), LOSSES[mf.loss_name], examples.order_key),
    )

    def learn(low: int, high: int) -> None:
        learn_tables(low, high, *fixed)

    for_chunks(learn, len(work.phones), threads)


def learn_in_torch(work: Updates, store: PrivateStore) -> None:
    """Merge and train in numpy and torch, phone by phone, on any table.

    To float32 rounding the same as the kernel.
    """
    got, columns = work.received, store.columns
    ages = {
        name: column
        for name in got.parts
        if (column := row_age_of(name, work.recommender.items)) in columns
    }
    [own] = work.recommender.private
    for k, phone in enumerate(work.phones):
        params = {name: torch.from_numpy(columns[name][phone].copy()) for name in got.parts}
        params[own] = torch.from_numpy(columns[own][phone][None].copy())
        age = int(columns["age"][phone])
        row_ages = {name: columns[column][phone].copy() for name, column in ages.items()}
        m, end = int(got.first[k]), int(got.first[k] + got.count[k])
        turns = int(got.passes[k + 1] - got.passes[k])
        for turn in range(turns):
            until = end if turn == turns - 1 else m + 1
            while m < until:
                age = _merge(got, m, params, age, row_ages, np.float32(work.own_weight))
                m += 1
            if work.data.counts[k] > 0:
                with one_thread():
                    params = _update(work, k, turn, params)
                age += 1
                for name, rows in _touched(work, k, turn).items():
                    if name in row_ages:
                        row_ages[name][rows] += np.float32(1)
        if all(_moderate(value.numpy()) for value in params.values()):
            for name in got.parts:
                columns[name][phone] = params[name].numpy()
            columns[own][phone] = params[own][0].numpy()
            columns["age"][phone] = age
            for name, column in ages.items():
                columns[column][phone] = row_ages[name]
        else:
            columns["diverged"][phone] += 1


def _moderate(values: Float32Array) -> bool:
    return bool((np.abs(values) <= LARGEST).all())


def _merge(
    got: Received,
    m: int,
    params: Params,
    age: int,
    row_ages: dict[str, Float32Array],
    own: np.float32,
) -> int:
    """Merge message *m* into *params*, where one's own ages count *own* times; return the age."""
    other = int(got.ages[m])
    share = np.float32(other / (float(own) * age + other) if age + other > 0 else 0.5)
    for name, part in got.parts.items():
        mine = slice(int(part.offsets[m]), int(part.offsets[m + 1]))
        values, rows, theirs = part.values[mine], part.rows[mine], part.row_ages[mine]
        if len(part.rows) == 0:
            rows = np.arange(len(values))
        table, taken = params[name].numpy(), np.full(len(rows), share)
        if name in row_ages:
            ages = row_ages[name]
            taken = theirs / np.maximum(own * ages[rows] + theirs, np.float32(1e-30))
            ages[rows] = (1 - taken) * ages[rows] + taken * theirs
        taken = taken.reshape(-1, *[1] * (table.ndim - 1))
        table[rows] = (1 - taken) * table[rows] + taken * values
    return max(age, other)


def _touched(work: Updates, k: int, turn: int) -> dict[str, IntArray]:
    """Return the rows that receiver k's pass trains, by parameter."""
    mine = slice(int(work.data.offsets[k]), int(work.data.offsets[k + 1]))
    touched = work.data.items[mine]
    if work.negatives.shape[1]:
        start = int(work.offsets[work.received.passes[k] + turn])
        drawn = work.negatives[start : start + len(touched)].reshape(-1)
        touched = np.concatenate([touched, drawn[drawn >= 0]])
    rows = work.recommender.items.rows_of(touched)
    return {name: np.unique(numbers) for name, numbers in rows.items()}


def _update(work: Updates, k: int, turn: int, params: Params) -> Params:
    """Return *params* after receiver k's local training of one pass."""
    data, row = work.data, int(chance_row(int(work.phones[k]), turn))
    mine = slice(int(data.offsets[k]), int(data.offsets[k + 1]))
    count = mine.stop - mine.start
    negatives = np.empty((count, 0), np.int32)
    if work.negatives.shape[1]:
        start = int(work.offsets[work.received.passes[k] + turn])
        negatives = work.negatives[start : start + count]
    order = order_of(work.draws, row, work.round, count, work.sgd.epochs)
    model = in_step(work.recommender, work.draws, row, work.round)
    return train_phone(
        model, params, data.items[mine], data.ratings[mine], negatives, order, work.sgd
    )
