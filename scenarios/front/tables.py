"""The tables of a run's ledger as Arrow, with words in the place of codes."""

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from droidloop.platform.errors import UsageError
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.platform.tables import TABLES

if TYPE_CHECKING:  # imported only where it is needed
    import pyarrow as pa


def _words(codes: type[IntEnum]) -> dict[int, str]:
    return {int(one): one.name.lower() for one in codes}


_CODES = {
    "kind": _words(Kind),
    "outcome": _words(Outcome),
    "modelled_outcome": _words(Outcome),
    "part": {0: "train", 1: "valid", 2: "test"},
}
"""The words of the columns of small integers that are codes."""


def table(folder: Path, name: str) -> "pa.Table":
    """Return the table *name* of the run in *folder*.

    Raises:
        UsageError: the ledger has no such table.
        LedgerError: a segment is damaged or of another schema.
    """
    import pyarrow as pa

    if name not in TABLES:
        raise UsageError(f"{name}: the ledger has no such table; choose from {', '.join(TABLES)}")
    rows = read(folder, name)
    return pa.table({column: _array(column, rows[column]) for column in rows.dtype.names or ()})


def _array(name: str, values: Any) -> "pa.Array[Any]":
    import pyarrow as pa

    if values.dtype.kind == "S":
        return pa.array(np.char.decode(values, "utf-8"), pa.string()).dictionary_encode()
    if name in _CODES and values.dtype == np.int8:
        codes, places = np.unique(values, return_inverse=True)
        # -1 in a measure: the job did not get that far
        words = pa.array([_CODES[name].get(code) for code in codes.tolist()], pa.string())
        return pa.DictionaryArray.from_arrays(places.astype(np.int32), words)
    plain: pa.Array[Any] = pa.array(np.ascontiguousarray(values))
    return plain
