"""From ``[model.table]`` to a table."""

from droidloop.models.interfaces.learning import EmbeddingTable
from droidloop.platform.registry import find
from droidloop.platform.section import Section


def table_of(
    section: Section, n: int, dim: int, *, name: str = "item", sd: float = 0.1
) -> EmbeddingTable:
    """Return the table of *section*, of its ``kind``, for *n* ids and vectors of *dim* numbers.

    *name* is what its parameters' names start with, *sd* that of its first vectors.
    """
    kind: str = getattr(section, "kind")  # noqa: B009  the scenario adds it to every section
    table: EmbeddingTable = find("table", kind).build(section, n, dim, name=name, sd=sd)
    return table
