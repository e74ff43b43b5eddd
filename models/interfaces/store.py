"""The private store: what stays on the phones, as columns keyed by phone."""

from collections.abc import Callable, Mapping
from typing import final

import numpy as np

from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.state import Stateful, Tree

from .learning import Recommender

Fill = Callable[[IntArray], dict[str, Array]]
"""Returns the first values of the columns for some phones, phone axis first."""


@final
class PrivateStore(Stateful):
    """Columns of *n_phones* rows; a phone's first values are filled in when it is first asked for.

    Untouched rows cost address space but no memory. *fill* must give a phone the same values
    whoever else is asked for, as draws do.
    """

    def __init__(self, n_phones: int, fill: Fill) -> None:
        empty = fill(np.empty(0, np.int64))
        self.columns = {
            name: np.empty((n_phones, *values.shape[1:]), values.dtype)
            for name, values in empty.items()
        }
        self.known, self._erased = np.zeros((2, n_phones), np.bool_)
        self._fill = fill

    @classmethod
    def of(cls, recommender: Recommender, draws: Draws, n_phones: int) -> "PrivateStore":
        """Return a store of the private parameters of *recommender*, one user a phone."""

        def fill(phones: IntArray) -> dict[str, Array]:
            values = recommender.init_private(draws, phones)
            return {name: value.numpy() for name, value in values.items()}

        return cls(n_phones, fill)

    def __len__(self) -> int:
        return len(self.known)

    def ensure(self, phones: IntArray) -> None:
        """Fill in the first values of those of *phones* that were not asked for before."""
        new = phones[~self.known[phones]]
        if len(new):
            self.commit(new, self._fill(new))

    def gather(self, phones: IntArray) -> dict[str, Array]:
        """Return copies of the rows of *phones*, by column."""
        self.ensure(phones)
        return {name: column[phones] for name, column in self.columns.items()}

    def commit(self, phones: IntArray, columns: dict[str, Array]) -> None:
        """Write the rows of *phones*, row k for ``phones[k]``; all columns or none.

        Raises:
            ValueError: a column is unknown, missing, or has another shape.
        """
        if columns.keys() != self.columns.keys():
            raise ValueError(f"columns {sorted(columns)} for a store of {sorted(self.columns)}")
        for name, values in columns.items():
            wanted = (len(phones), *self.columns[name].shape[1:])
            if values.shape != wanted:
                raise ValueError(f"column {name!r} has shape {values.shape}, not {wanted}")
        for name, values in columns.items():
            self.columns[name][phones] = values
        self.known[phones] = True

    def reset(self, phones: IntArray) -> None:
        """Give *phones* their first values back, as a new or wiped phone has them."""
        self.known[phones] = False

    def erase(self, phones: IntArray) -> None:
        """Hold nothing of *phones* any more: what is asked of them are first values, never kept."""
        self.reset(phones)
        self._erased[phones] = True

    def state(self) -> dict[str, Tree]:
        """Return the rows that were asked for, and whose they are."""
        phones = np.flatnonzero(self.known & ~self._erased)
        rows = {name: column[phones] for name, column in self.columns.items()}
        return {"phones": phones, "rows": rows}

    def restore(self, tree: Mapping[str, Tree]) -> None:
        """Hold what *tree* says; see ``Stateful``."""
        self.known[:] = False
        self.commit(tree["phones"], tree["rows"])
