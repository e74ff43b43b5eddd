"""The scaled table: a factor for each dimension, to ask what a dimension is worth."""

from dataclasses import dataclass

import torch

from droidloop.models.interfaces.learning import Parameter, Params
from droidloop.platform.draws import Draws

from .float_rows import beside
from .row_table import RowTable


@dataclass(frozen=True)
class ScaledTable(RowTable):
    """A table whose dimensions are multiplied by ``name_mask`` (dim,): 1 of each, or 0.

    It is there to be looked into; what is trained is the table that is left.
    """

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The numbers and the mask."""
        return {**super().parameters, f"{self.name}_mask": Parameter((self.dim,))}

    def compose(self, parts: Params) -> torch.Tensor:
        """Return the rows times the mask."""
        rows = parts[self.name]
        return rows * beside(parts[f"{self.name}_mask"], rows, 1)

    def init(self, draws: Draws) -> Params:
        """Return fresh numbers, and a mask of 1."""
        return {**super().init(draws), f"{self.name}_mask": torch.ones(self.dim)}
