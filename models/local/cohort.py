"""Local training of a cohort: what it trains on, what it changes, and who computes it.

The trainer knows no table: it trains the rows that the examples read, of whatever parameters, and
the whole of all others.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeGuard

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import touched_rows
from droidloop.models.interfaces.learning import (
    EmbeddingTable,
    ItemRecommender,
    shared_parameters,
)
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.arrays import Array, Int32Array

from .mf_sgd import train_mf_cohort
from .ncf_sgd import train_ncf_cohort
from .sgd import Examples, Sgd, Touched
from .torch_sgd import train_cohort_in_torch

Engine = Literal["numba", "torch"]
"""``numba``: a compiled kernel where there is one for the model and its table, else torch.

``torch``: always. Both give the same to float32 rounding.
"""


@dataclass(frozen=True)
class Changes:
    """Trained minus received values.

    Attributes:
        values: of the rows *touched*, (rows, ...); of all other parameters (phones, ...).
        touched: which rows.
    """

    values: dict[str, Array]
    touched: Touched


def train_locally(
    model: ItemRecommender,
    shared: dict[str, Array],
    private: dict[str, Array],
    examples: Examples,
    sgd: Sgd,
    engine: Engine = "numba",
    threads: int | None = None,
) -> Changes:
    """Train every phone of a cohort on copies of *shared*; return what that changed.

    Args:
        model: gives the loss and the table.
        shared: all shared parameters by name.
        private: the phones' own, phones first; trained in place.
        examples: what each trains on.
        sgd: steps, epochs and batch.
        engine: see ``Engine``.
        threads: of compiled kernels; None: one a processor. The result does not depend on it.
    """
    touched = rows_touched(model.items, examples, threads)
    kernel = compiled_for(model) if engine == "numba" else None
    if kernel is not None:
        return Changes(kernel(model, shared, private, examples, touched, sgd, threads), touched)
    moves = train_cohort_in_torch(
        lambda k: model,
        {name: shared[name] for name in shared_parameters(model)},
        *(private, examples, touched, sgd),
    )
    return Changes(moves, touched)


def rows_touched(table: EmbeddingTable, examples: Examples, threads: int | None = None) -> Touched:
    """Return the rows that training on *examples* reads of each parameter of *table*."""
    chosen, drawn = table.rows_of(examples.data.items), table.rows_of(examples.negatives)
    rows, offsets = {}, {}
    for name, first in chosen.items():
        others = drawn[name].reshape(len(first), math.prod(drawn[name].shape[1:]))
        if first.ndim > 1:  # several rows for an id: all but one stand beside the negatives
            others, first = np.concatenate([first[:, 1:], others], axis=1), first[:, 0]
        data = replace(examples.data, items=np.asarray(first, np.int64))
        count = table.parameters[name].shape[0]
        narrow: Int32Array = np.asarray(others, np.int32)
        rows[name], offsets[name] = touched_rows(data, narrow, count, threads)
    return Touched(rows, offsets)


Kernel = Callable[
    [Any, dict[str, Array], dict[str, Array], Examples, Touched, Sgd, int | None], dict[str, Array]
]
"""Trains private values in place and returns the values of ``Changes``."""


def compiled_for(model: ItemRecommender) -> Kernel | None:
    """Return the compiled kernel that trains *model* on its table; None: torch has to.

    Kernels train vectors that are rows. One that inherits from MF differs in a bias, if at all,
    which the kernel sees from the length of the user's vector.
    """
    if compiled_mf(model):
        return _mf
    return _ncf if isinstance(model, NeuMF) and model.items.plain else None


def compiled_mf(model: ItemRecommender) -> TypeGuard[MF]:
    """Return whether the kernels of MF, those of gossip among them, train *model*."""
    return isinstance(model, MF) and model.items.plain


def in_rows(
    table: EmbeddingTable, data: UserItems, negatives: Int32Array
) -> tuple[UserItems, Int32Array]:
    """Return local items and negatives as the rows that a plain *table* has of them.

    To a kernel such rows are items.
    """
    [rows], [others] = (table.rows_of(ids).values() for ids in (data.items, negatives))
    narrow: Int32Array = np.asarray(others, np.int32)
    return replace(data, items=np.asarray(rows, np.int64)), narrow


def _mf(
    model: MF,
    shared: dict[str, Array],
    private: dict[str, Array],
    examples: Examples,
    touched: Touched,
    sgd: Sgd,
    threads: int | None,
) -> dict[str, Array]:
    [(name, ids)], [own] = touched.rows.items(), model.private
    change = train_mf_cohort(
        *(model, shared[name], private[own], _in_rows(model, examples)),
        *(ids, touched.offsets[name], sgd, threads),
    )
    return {name: change}


def _ncf(
    model: NeuMF,
    shared: dict[str, Array],
    private: dict[str, Array],
    examples: Examples,
    touched: Touched,
    sgd: Sgd,
    threads: int | None,
) -> dict[str, Array]:
    [(name, ids)] = touched.rows.items()
    return train_ncf_cohort(
        *(model, shared, private["user"], _in_rows(model, examples)),
        *(ids, touched.offsets[name], sgd, threads),
    )


def _in_rows(model: ItemRecommender, examples: Examples) -> Examples:
    data, negatives = in_rows(model.items, examples.data, examples.negatives)
    return replace(examples, data=data, negatives=negatives)
