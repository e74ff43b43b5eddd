"""CERP: codebooks pruned by learned thresholds so that one keeps what the other leaves out.

Liang et al.: Learning Compact Compositional Embeddings via Regularized Pruning for
Recommendation (ICDM 2023). Thresholds are those of PEP (``tables/soft_threshold.py``); the mask is
exactly the wanted share, the numbers farthest above their thresholds, and is trained again from the
first values. The form of the regulariser is ours: the mean, over the items of a batch and over
dimensions, of the product of what both rows have there, each between 0 and 1.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Batch, Params
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.codebooks import FIRST, CodebooksTable, SoftCodebooksTable
from droidloop.platform.draws import Draws

from .added import Added, Term
from .fit import Hyperparameters, fit
from .retrain import largest

STEEPNESS = 20.0
"""By which a number is multiplied before its hyperbolic tangent says whether it is there. Ours."""


@dataclass(frozen=True)
class Pruning:
    """How codebooks are pruned.

    Attributes:
        buckets: rows of a codebook.
        share: of all numbers of the codebooks that is kept.
        books: how many codebooks; with one of a row for each item, it is PEP.
        weight: of the regulariser, beside the sum of the losses of an example.
        first: what thresholds begin at.
        search: how numbers and thresholds are trained.
    """

    buckets: int
    share: float
    search: Hyperparameters
    books: int = 2
    weight: float = 1.0
    first: float = FIRST

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1 or self.weight < 0:
            raise ValueError(f"a share of {self.share}, weight {self.weight}")


def overlap(rows: torch.Tensor) -> torch.Tensor:
    """Return how much *rows* (..., books, dim) have in the same places, 0 to 1, shape (...)."""
    there = torch.tanh(STEEPNESS * rows.abs())
    return there.prod(-2).mean(-1)


def complements(table: SoftCodebooksTable, weight: float) -> Term:
    """Return the regulariser of *table*."""

    def term(params: Params, batch: Batch) -> torch.Tensor:
        return weight * overlap(table.softened(params, batch.items.numpy()))

    return term


def cerp(
    first: MF,
    train: UserItems,
    chosen: Hyperparameters,
    pruning: Pruning,
    *,
    draws: Draws,
    validate: Callable[[CodebooksTable, Params], float] | None = None,
) -> tuple[CodebooksTable, Params]:
    """Return masked codebooks and all parameters, theirs and the vectors of users.

    Args:
        first: gives dimensions, loss and regulariser; its table is not used.
        train: items by user.
        chosen: how what is left is trained again.
        pruning: how it is found.
        draws: the chance.
        validate: a figure of merit of what would ship, higher is better.
    """
    n, dim, books = first.n_items, first.dim, pruning.books
    shape = (n, dim, pruning.buckets, books)
    soft = SoftCodebooksTable(*shape, sd=first.sd, first=pruning.first)
    model = MF(n, dim, first.loss_name, first.l2, first.sd, soft)
    start = draws.child("init")
    began = soft.init(start) | model.init_private(start, np.arange(train.n_users))
    term = complements(soft, pruning.weight if books > 1 else 0.0)
    searched = fit(
        *(Added(model, term), began, train, pruning.search),
        n_items=n,
        draws=draws.child("search"),
    )
    there = largest({soft.name: soft.margins(searched)}, pruning.share)[soft.name]
    table = CodebooksTable(*shape, there, sd=first.sd)
    again = MF(n, dim, first.loss_name, first.l2, first.sd, table)
    values = table.masked(began[soft.name]) | {"user": began["user"]}
    judge = None if validate is None else lambda params: validate(table, params)
    rest: dict[str, Any] = {"n_items": n, "draws": draws.child("again"), "validate": judge}
    return table, fit(again, values, train, chosen, **rest)
