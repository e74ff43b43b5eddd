"""A recommender whose loss has a further term: what a teacher says, or what a table should be."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from droidloop.models.interfaces.learning import (
    Batch,
    Context,
    Cost,
    EmbeddingTable,
    Params,
    Recommender,
)
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

Term = Callable[[Params, Batch], torch.Tensor]
"""Returns what is added to the loss of each example, (batch,)."""


@dataclass(frozen=True)
class Added:
    """*model* with *term* added to its loss; all else is the model's."""

    model: Recommender
    term: Term

    @property
    def tables(self) -> dict[str, EmbeddingTable]:
        """Those of the model."""
        return self.model.tables

    @property
    def private(self) -> frozenset[str]:
        """Those of the model."""
        return self.model.private

    def init(self, draws: Draws) -> Params:
        """Return the first values of the model."""
        return self.model.init(draws)

    def init_private(self, draws: Draws, users: IntArray) -> Params:
        """Return the first private values of the model."""
        return self.model.init_private(draws, users)

    def score(
        self,
        params: Params,
        users: torch.Tensor,
        items: torch.Tensor,
        context: Context | None = None,
    ) -> torch.Tensor:
        """Return the scores of the model."""
        return self.model.score(params, users, items, context)

    def loss(self, params: Params, batch: Batch) -> torch.Tensor:
        """Return the loss of the model and the term, (batch,)."""
        return self.model.loss(params, batch) + self.term(params, batch)

    def cost(self, examples: int | IntArray) -> Cost:
        """Return what the model's loss takes; the term is not counted: no phone computes it."""
        return self.model.cost(examples)
