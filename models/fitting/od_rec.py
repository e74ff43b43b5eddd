"""OD-Rec and EODRec: small tables that learn from a teacher, by soft targets and by contrast.

Xia, Yin, Yu, Wang, Xu, Nguyen: On-Device Next-Item Recommendation with Self-Supervised Knowledge
Distillation (OD-Rec, SIGIR 2022), whose table is a tensor chain; Xia et al.: Efficient
On-Device Session-Based Recommendation (EODRec, ACM TOIS 2023), whose table are codes. Here both
factorise a matrix, as their teacher does; the teacher stays as it is, where EODRec's learns back,
and parts of the vectors of teacher and student are not recombined, as OD-Rec's are.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import EmbeddingTable, Params
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.codes import CodebookTable
from droidloop.models.tables.joint_codes import JointCodesTable
from droidloop.models.tables.tensor_chain import TensorChainTable
from droidloop.platform.draws import Draws

from .distil import Teaching, distil
from .fit import Hyperparameters

Validate = Callable[[EmbeddingTable, Params], float]
"""A figure of merit of a table and all parameters, higher is better."""


def od_rec(
    teacher: Params,
    table: TensorChainTable,
    train: UserItems,
    chosen: Hyperparameters,
    teaching: Teaching,
    *,
    l2: float,
    draws: Draws,
    validate: Validate | None = None,
) -> Params:
    """Return the cores of *table* and the vectors of users, taught by *teacher*.

    Args:
        teacher: the vectors of a matrix factorisation, ``user`` and ``item``.
        table: the student's; of the same length of vectors where there is a contrast.
        train: items by user.
        chosen: steps, batches, epochs.
        teaching: how much the teacher counts.
        l2: as in ``MF``.
        draws: the chance.
        validate: of what would ship.
    """
    judge = None if validate is None else lambda params: validate(table, params)
    first, student = _first(table, train, l2, draws)
    rest: dict[str, Any] = {"draws": draws.child("training"), "validate": judge}
    return distil(student, first, teacher, train, chosen, teaching, **rest)


def eod_rec(
    teacher: Params,
    table: JointCodesTable,
    train: UserItems,
    chosen: Hyperparameters,
    teaching: Teaching,
    *,
    l2: float,
    draws: Draws,
    validate: Validate | None = None,
) -> tuple[CodebookTable, Params]:
    """Return the table of codes that ships and all parameters; see ``od_rec``."""

    def shipped(params: Params) -> tuple[CodebookTable, Params]:
        coded, made = table.coded(params)
        return coded, made | {"user": params["user"]}

    judge = None if validate is None else lambda params: validate(*shipped(params))
    first, student = _first(table, train, l2, draws)
    rest: dict[str, Any] = {"draws": draws.child("training"), "validate": judge}
    return shipped(distil(student, first, teacher, train, chosen, teaching, **rest))


def _first(table: EmbeddingTable, train: UserItems, l2: float, draws: Draws) -> tuple[Params, MF]:
    student, start = MF(table.n, table.dim, "log", l2, table=table), draws.child("init")
    users = np.arange(train.n_users)
    return student.init(start) | student.init_private(start, users), student
