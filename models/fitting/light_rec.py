"""LightRec: codes and codewords trained together, under a teacher with whole vectors.

Lian, Wang, Liu, Lian, Chen, Xie: LightRec (WWW 2020). They start from codes that were found for
the teacher's vectors, where the paper starts from chance.
"""

from collections.abc import Callable

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Params
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.codes import CodebookTable
from droidloop.models.tables.coding import learn_codes
from droidloop.models.tables.joint_codes import JointCodesTable
from droidloop.platform.draws import Draws

from .distil import Teaching, distil
from .fit import Hyperparameters


def light_rec(
    teacher: Params,
    train: UserItems,
    chosen: Hyperparameters,
    *,
    books: int,
    words: int,
    l2: float,
    draws: Draws,
    teaching: Teaching | None = None,
    validate: Callable[[CodebookTable, Params], float] | None = None,
) -> tuple[CodebookTable, Params]:
    """Return a table of codes and all parameters: its codewords and the vectors of users.

    Args:
        teacher: the vectors of a matrix factorisation, ``user`` and ``item``.
        train: items by user.
        chosen: steps, batches, epochs.
        books: how many codebooks there are.
        words: codewords of each.
        l2: as in ``MF``.
        draws: the chance.
        teaching: how much the teacher counts; None: as ``Teaching`` has it.
        validate: a figure of merit of what would ship, higher is better.
    """
    vectors = teacher["item"].numpy()
    n, dim = vectors.shape
    table = JointCodesTable(n, dim, books, words, sd=float(vectors.std()))
    found = learn_codes(vectors, books, words, draws.child("codes"))
    first = table.started(found, vectors) | {"user": teacher["user"]}
    student = MF(n, dim, "log", l2, table=table)

    def shipped(params: Params) -> tuple[CodebookTable, Params]:
        coded, made = table.coded(params)
        return coded, made | {"user": params["user"]}

    fitted = distil(
        *(student, first, teacher, train, chosen, teaching or Teaching()),
        draws=draws.child("training"),
        validate=None if validate is None else lambda params: validate(*shipped(params)),
    )
    return shipped(fitted)
