"""What a phone trains from, and what it makes of that: which values it keeps, which it sends."""

import math
from typing import Literal, Protocol

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import (
    Cohort,
    check_private,
    shared_parameters,
)
from droidloop.models.local.cohort import Changes
from droidloop.models.local.sgd import Examples, Sgd, Trainer
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages

Kind = Literal["delta", "parameters", "gradient"]

Named = tuple[dict[str, Array], dict[str, IntArray], dict[str, IntArray]]
"""Arrays, row numbers and offsets of ``Messages``."""


class Trains(Trainer, Protocol):
    """A client rule whose phones train so."""

    @property
    def threads(self) -> int | None:
        """For kernels; None: one a processor."""
        ...


def keep_finite(cohort: Cohort, private: dict[str, Array]) -> None:
    """Write to *cohort* the *private* values of the phones on which all are numbers."""
    finite = np.ones(len(cohort), np.bool_)
    for values in private.values():
        finite &= np.isfinite(values).reshape(len(values), math.prod(values.shape[1:])).all(axis=1)
    for name, values in private.items():
        cohort.private[name][finite] = values[finite]


def upload_of(
    changes: Changes, shared: dict[str, Array], kind: Kind, whole: bool, sgd: Sgd
) -> Named:
    """Return *changes* as messages hold them.

    Args:
        changes: of a cohort; their memory is used again.
        shared: what the phones received.
        kind: what is told; see ``FedMF``.
        whole: whether all rows are sent, and not the touched ones alone.
        sgd: the steps, to make gradients.
    """
    arrays, rows, offsets = {}, {}, {}
    for name, values in changes.values.items():
        by_row = name in changes.touched.rows
        n, ids = len(shared[name]), None
        if by_row:
            ids, ends = changes.touched.rows[name].astype(np.int64), changes.touched.offsets[name]
        else:
            ends = np.arange(len(values) + 1) * n
            values = values.reshape(len(values) * n, *values.shape[2:])
        if ids is not None and whole:
            m = len(ends) - 1
            where = np.repeat(np.arange(m) * n, np.diff(ends)) + ids
            every = np.zeros((m * n, *values.shape[1:]), np.float32)
            every[where] = values
            values, ids, ends = every, None, np.arange(m + 1) * n
        if kind == "parameters":
            m = len(ends) - 1
            old = shared[name]
            values += np.tile(old, (m, *[1] * (old.ndim - 1))) if ids is None else old[ids]
        elif kind == "gradient":
            values /= np.float32(-sgd.rate(by_row))
        arrays[name], offsets[name] = values, ends
        if ids is not None:
            rows[name] = ids
    return arrays, rows, offsets


def task_of(
    rule: Trains, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
) -> tuple[dict[str, Array], IntArray, Examples]:
    """Return what all phones received, the versions of that, and what they train on.

    Raises:
        ValueError: the inbox is not one model, *data* not one row a phone, or items are unknown.
    """
    model = rule.recommender
    wanted = {name: one.shape for name, one in shared_parameters(model).items()}
    shared, base = received(cohort, inbox, wanted)
    check_local(cohort, data, model.n_items)
    examples = Examples.of(rule, cohort.phones, data, draws, cohort.round, rule.threads)
    return shared, base, examples


def messages_of(
    rule: Trains, cohort: Cohort, data: UserItems, base: IntArray, kind: Kind, named: Named
) -> Messages:
    """Return *named* as uploads of *cohort*; they weigh as much as there are local items."""
    arrays, rows, offsets = named
    sent = Messages(
        kind=kind,
        sender=cohort.phones,
        receiver=np.full(len(cohort), SERVER, np.int64),
        arrays=arrays,
        weight=data.counts.astype(np.float64),
        base=base,
        rows=rows,
        offsets=offsets,
    )
    return check_private(sent, rule.recommender)
