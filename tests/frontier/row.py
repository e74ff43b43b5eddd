"""What a row of the frontier is: a table that is fitted to a budget of bytes and then ships.

All rows fit matrix factorisation on the same users of ml-1m with the same loss, vectors of ``DIM``
numbers where a table does not narrow them, and the best of ``EPOCHS`` epochs on validation.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.interfaces.learning import EmbeddingTable, Params
    from droidloop.platform.arrays import IntArray

DATA, USERS, DIM, EPOCHS = "ml-1m", 1000, 64, 8
SHARES = (4, 10, 30)
"""A budget is the dense table's bytes divided by one of these."""
MOST_BITS = 2 * DIM
"""Of a code of signs, so that a row ends within minutes; larger budgets are not filled by them."""
SEEDS, TUNING_SEED, TUNING_SHARE = (1, 2, 3), 11, 10


class OutOfReachError(Exception):
    """A table that cannot be made so small; the message says why."""


@dataclass(frozen=True)
class Setting:
    """The step of Adam and the weight of squares, chosen on validation with ``TUNING_SEED``.

    They are tried at one budget, ``TUNING_SHARE``, and kept at all of them.
    """

    lr: float
    l2: float


@dataclass(frozen=True)
class Part:
    """What ships to some *users*, where not all get the same."""

    users: "IntArray"
    table: "EmbeddingTable"
    params: "Params"


@dataclass(frozen=True)
class Fitted:
    """What ships, and the users' vectors beside it.

    Attributes:
        table: as it ships: its ``pack`` is what crosses a link.
        params: those of the table, and ``user``, (users, dim).
        parts: what each group of users gets, of which the table is that of the largest; empty:
            all get the same.
    """

    table: "EmbeddingTable"
    params: "Params"
    parts: "tuple[Part, ...]" = ()


@dataclass(frozen=True)
class Work:
    """One fit: the data, the most bytes that may ship, how to train, and the seed."""

    split: "Split"
    budget_bytes: int
    setting: Setting
    seed: int
    epochs: int = EPOCHS

    @property
    def n(self) -> int:
        """How many items there are."""
        return self.split.n_items

    def trained(self, table: "EmbeddingTable") -> Fitted:
        """Return *table* after training whole, of the best epoch."""
        from tests.reference.small_tables import trained

        how = self.setting
        params = trained(
            *(self.split, self.seed, table),
            l2=how.l2,
            lr=how.lr,
            epochs=self.epochs,
            ties=TIES,
        )
        return Fitted(table, params)


TIES = 1e-4
"""What chance adds to scores: it orders the items that share a vector."""


@dataclass(frozen=True)
class Row:
    """A method: how it is fitted to a budget, and the settings that were tried for it."""

    fit: Callable[[Work], Fitted]
    setting: Setting
    tried: Sequence[Setting] = (
        Setting(0.005, 0.003),
        Setting(0.01, 0.003),
        Setting(0.02, 0.0003),
    )


@cache
def data() -> "Split":
    """Return the split that all rows share."""
    from tests.reference.movielens import ml_1m

    return ml_1m(USERS)


def budgets(n: int) -> dict[str, int]:
    """Return the most bytes of each share of *n* dense vectors.

    >>> budgets(3706)
    {'1/4': 237184, '1/10': 94873, '1/30': 31624}
    """
    return {f"1/{share}": 4 * n * DIM // share for share in SHARES}
