"""What a table costs beside its numbers: indexes and codes, sizes by importance, ids to come."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .row import Fitted


def answers(fitted: "Fitted", counts: Any) -> dict[str, Any]:
    """Return what is told of *fitted* beside its figures; *counts* (n,): how often items are met.

    - assignment_bytes: of what ships, that which says where numbers stand or belong;
    - importance: Spearman's correlation of the numbers of an item's vector that are not 0 with how
      often it is met; None: all have as many;
    - collisions: how many items have the codes, or the rows, of another; None: none are learned;
    - new_items: whether an id that comes later has a vector without another byte.
    """
    from droidloop.models.tables.float_rows import every_vector

    table, vectors = fitted.table, every_vector(fitted.table, fitted.params)
    sizes = getattr(table, "sizes", None)
    sizes = np.count_nonzero(vectors, axis=1) if sizes is None else np.asarray(sizes)
    return {
        "assignment_bytes": _assignments(table),
        "importance": _spearman(sizes, counts) if np.ptp(sizes) else None,
        "collisions": getattr(table, "collisions", None),
        "new_items": _grows(table),
    }


def _assignments(table: Any) -> int:
    """Return the bytes of *table* that are no numbers; signs are numbers of a bit."""
    from droidloop.models.tables.codebooks import CodebooksTable
    from droidloop.models.tables.float_rows import float_bytes
    from droidloop.models.tables.mixed import MixedTable
    from droidloop.models.tables.pruned import PrunedTable

    if isinstance(table, PrunedTable | MixedTable):
        return int(table.nbytes - 4 * getattr(table, "kept", getattr(table, "count", 0)))
    if isinstance(table, CodebooksTable) and table.there is not None:
        return int(table.nbytes - 4 * np.count_nonzero(table.there))
    return int(max(0, table.nbytes - float_bytes(table)))


def _grows(table: Any) -> bool:
    try:
        more = replace(table, n=table.n + 1)
    except ValueError:
        return False
    return bool(more.parameters == table.parameters)


def _spearman(one: Any, other: Any) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(one, other).statistic)
