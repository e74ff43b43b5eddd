"""The dense embedding table: one float32 vector for each id."""

from dataclasses import dataclass

from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .row_table import RowTable


@dataclass(frozen=True)
class DenseTable(RowTable):
    """*n* vectors of *dim* float32 numbers, drawn from N(0, *sd*); parameter ``name``.

    >>> DenseTable(3706, 64).nbytes
    948736
    """

    def __post_init__(self) -> None:
        if self.n < 0 or self.dim < 1 or self.sd < 0:
            raise ValueError(f"no table has {self.n} rows of {self.dim} numbers, sd {self.sd}")

    @property
    def plain(self) -> bool:
        """A vector is a row."""
        return True

    @property
    def flops(self) -> int:
        """Nothing: a vector is a row."""
        return 0

    @property
    def magic(self) -> bytes:
        """What its packed form begins with."""
        return b"dns1"


class DenseSection(Section):
    """One vector of float32 numbers for each item."""


def build(section: DenseSection, n: int, dim: int, *, name: str = "item", sd: float) -> DenseTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    return DenseTable(n, dim, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="dense",
    section=DenseSection,
    build=build,
    gives=frozenset({"dense", "plain"}),
)
