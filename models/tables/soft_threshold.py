"""Soft thresholds that are learned: what is smaller than its threshold is 0.

Liu, Gao, Chen, Jin, Li: Learnable Embedding Sizes for Recommender Systems (PEP, ICLR 2021):
V_hat = sign(V) ReLU(|V| - g(s)), where g is a sigmoid and s is learned with V. Gradients pass where
a number is left; a threshold moves by all numbers that it cuts and leaves.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .row_table import RowTable

Grain = Literal["table", "feature", "dimension", "feature-dimension"]
"""How many numbers share a threshold."""
FIRST = -15.0
"""What thresholds begin at, before the sigmoid; of the authors' code on MovieLens 1M."""


def soften(values: torch.Tensor, threshold: torch.Tensor) -> torch.Tensor:
    """Return *values* nearer to 0 by the sigmoid of *threshold*; 0 where they were less."""
    return torch.sign(values) * torch.relu(values.abs() - torch.sigmoid(threshold))


@dataclass(frozen=True)
class SoftThresholdTable(RowTable):
    """*n* vectors of *dim* numbers that shrink by learned thresholds.

    Parameters: ``name`` (n, dim), as in a dense table, and ``name_threshold``, of which *grain*
    says the shape. It ships whole: what ships smaller is the ``MaskedTable`` that a fitter makes
    of it (``fitting/pep.py``).
    """

    grain: Grain = "feature-dimension"
    first: float = FIRST

    def __post_init__(self) -> None:
        if self.grain not in get_args(Grain) or self.n < 1 or self.dim < 1 or self.sd < 0:
            raise ValueError(f"no {self.n} vectors of {self.dim} have thresholds by {self.grain!r}")

    @property
    def threshold(self) -> str:
        """The name of the thresholds."""
        return f"{self.name}_threshold"

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The numbers and their thresholds."""
        shapes = {
            "table": (1,),
            "feature": (self.n, 1),
            "dimension": (self.dim,),
            "feature-dimension": (self.n, self.dim),
        }
        by_row = self.grain.startswith("feature")
        return {
            **super().parameters,
            self.threshold: Parameter(shapes[self.grain], by_row=by_row),
        }

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        """Return the row of each id, of its numbers and of its thresholds, if it has own ones."""
        own = {self.threshold: ids} if self.grain.startswith("feature") else {}
        return {**super().rows_of(ids), **own}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows, nearer to 0 by their thresholds."""
        rows, threshold = parts[self.name], parts[self.threshold]
        while threshold.dim() < rows.dim():  # that of a phone is for all of its rows
            threshold = threshold.unsqueeze(-2)
        return soften(rows, threshold)

    def init(self, draws: Draws) -> Params:
        """Return fresh numbers, and thresholds that cut next to nothing."""
        made = super().init(draws)
        return {**made, self.threshold: torch.full_like(made[self.threshold], self.first)}

    def margins(self, params: Params) -> torch.Tensor:
        """Return how far each number is above its threshold, (n, dim); below it less than 0."""
        return params[self.name].abs() - torch.sigmoid(params[self.threshold])

    @property
    def flops(self) -> int:
        """A sigmoid (8), a difference, a sign and a product a number, and as much twice back."""
        return 33 * self.dim


class SoftThresholdSection(Section):
    """Vectors whose small numbers become 0, by thresholds that are trained with them."""

    grain: Grain = "feature-dimension"
    """What has a threshold of its own: the table, an item, a dimension, or each number."""


def build(
    section: SoftThresholdSection, n: int, dim: int, *, name: str = "item", sd: float
) -> SoftThresholdTable:
    """Return the table of *n* vectors of *dim* numbers that *section* wants."""
    return SoftThresholdTable(n, dim, section.grain, name=name, sd=sd)


METHOD = Method(
    kind="table",
    name="soft-threshold",
    section=SoftThresholdSection,
    build=build,
    source="Liu et al., Learnable Embedding Sizes for Recommender Systems, ICLR 2021",
    gives=frozenset(),
)
