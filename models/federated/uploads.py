"""What a phone makes of its training: which values it keeps, and which it sends."""

import math
from typing import Literal

import numpy as np

from droidloop.models.interfaces.learning import Cohort
from droidloop.models.local.cohort import Changes
from droidloop.models.local.mf_sgd import Sgd
from droidloop.platform.arrays import Array, IntArray

Kind = Literal["delta", "parameters", "gradient"]

Named = tuple[dict[str, Array], dict[str, IntArray], dict[str, IntArray]]
"""Arrays, row numbers and offsets of ``Messages``."""


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
        n, ids, ends = len(shared[name]), None, np.arange(len(values) + 1) * len(shared[name])
        if by_row:
            ids, ends = changes.touched.rows[name].astype(np.int64), changes.touched.offsets[name]
        else:
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
