"""Columns of a table: name, type and meaning at once, so that rows and pages are made from one."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: with the unit, where there is one.
        kind: a numpy type, or ``str`` for words of any length.
        help: what it says.
        since: the version of the table from which on it is there.
        default: what rows of older versions have.
    """

    name: str
    kind: type
    help: str
    since: int = 1
    default: Any = 0


def dtype_of(columns: tuple[Column, ...]) -> np.dtype[Any]:
    """Return the rows of *columns* in memory; words are numbers in a list that is kept beside."""
    return np.dtype([(one.name, np.int32 if one.kind is str else one.kind) for one in columns])


@dataclass(frozen=True)
class Table:
    """A table of the ledger.

    Attributes:
        help: what one row is.
        columns: in the order of the file.
        time: the column that is the time of a row.
        order: of the rows within a segment.
    """

    help: str
    columns: tuple[Column, ...]
    time: str
    order: tuple[str, ...]

    @cached_property
    def version(self) -> int:
        """The version of its columns: one more for each change."""
        return max(one.since for one in self.columns)

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """Its rows in memory; see ``dtype_of``."""
        return dtype_of(self.columns)

    @cached_property
    def words(self) -> frozenset[str]:
        """The names of the columns of words."""
        return frozenset(one.name for one in self.columns if one.kind is str)

    def of_version(self, version: int) -> tuple[Column, ...]:
        """Return the columns that rows of *version* have."""
        return tuple(one for one in self.columns if one.since <= version)
