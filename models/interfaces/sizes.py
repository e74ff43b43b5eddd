"""How large a model is, and how much of that its tables are: what makes models of items large."""

import math
from dataclasses import dataclass

from droidloop.platform.draws import Draws

from .learning import Recommender


@dataclass(frozen=True)
class Sizes:
    """Bytes of the shared part of a model as it ships: of its tables, and of all of it."""

    table_bytes: int
    shared_bytes: int

    @property
    def table_share(self) -> float:
        """Of what ships, the share of the tables; 0 where nothing does."""
        return self.table_bytes / self.shared_bytes if self.shared_bytes else 0.0

    def plain(self) -> dict[str, int | float]:
        """Return it as a manifest holds it."""
        return {
            "table_bytes": self.table_bytes,
            "shared_bytes": self.shared_bytes,
            "table_share": self.table_share,
        }


def sizes_of(recommender: Recommender) -> Sizes:
    """Return what tables and all other shared parameters (four bytes a number) take."""
    tables = recommender.tables.values()
    table_bytes = sum(table.nbytes for table in tables)
    shapes: dict[str, tuple[int, ...]] | None = getattr(recommender, "dense", None)
    if shapes is None:  # no recommender of items: its first values tell
        first = recommender.init(Draws(0, "sizes"))
        shapes = {name: tuple(one.shape) for name, one in first.items()}
    of_tables = {name for table in tables for name in table.parameters}
    others = (math.prod(shape) for name, shape in shapes.items() if name not in of_tables)
    return Sizes(table_bytes, table_bytes + 4 * sum(others))
