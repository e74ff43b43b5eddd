"""A trained model as it goes to phones."""

from dataclasses import dataclass
from typing import Protocol

from droidloop.models.interfaces.learning import Cost, Params
from droidloop.platform.arrays import Array

from .exportable import Graph


@dataclass(frozen=True)
class Shipped:
    """A trained model as it goes to phones.

    Attributes:
        graph: of the shared part, with the private part as its only input.
        private: that input of every phone, (phones, dim).
        work: flops and memory traffic of one list; None: of one pass over a table, as in matrix
            factorisation.
    """

    graph: Graph
    private: Array
    work: Cost | None = None


class Ships(Protocol):
    """A recommender whose shared part can be exported (it gives ``ships``)."""

    def ship(self, params: Params) -> Shipped:
        """Return what goes to phones, of all parameters; private ones have one row a phone."""
        ...
