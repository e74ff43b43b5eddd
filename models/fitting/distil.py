"""Distillation: a small model learns from what a large one says, beside what it sees itself.

Hinton, Vinyals, Dean: Distilling the Knowledge in a Neural Network (2015): soft targets, scaled by
the square of what they are heated by, so that their slopes stay as large. Whatever is distilled
here, is by these terms.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Batch, Params
from droidloop.models.numerics.losses import log_loss
from droidloop.models.recommenders.mf import MF
from droidloop.models.recommenders.vector_model import pairs_of
from droidloop.platform.draws import Draws

from .added import Added, Term
from .fit import Hyperparameters, fit


@dataclass(frozen=True)
class Teaching:
    """How much a student listens.

    Attributes:
        weight: of the soft targets, beside the loss of what was chosen.
        heat: by which scores are divided before they become probabilities.
        contrast: the weight of telling which of the batch's items a vector stands for.
        contrast_heat: by which cosines are divided for that.
    """

    weight: float = 1.0
    heat: float = 1.0
    contrast: float = 0.0
    contrast_heat: float = 0.2

    def __post_init__(self) -> None:
        if min(self.weight, self.contrast) < 0 or min(self.heat, self.contrast_heat) <= 0:
            raise ValueError(f"weights are at least 0 and heats above it, not {self}")


def of_pairs(student: torch.Tensor, teacher: torch.Tensor, heat: float = 1.0) -> torch.Tensor:
    """Return the cross entropy of each score against the probability that the teacher gives it."""
    return heat**2 * log_loss(student / heat, torch.sigmoid(teacher / heat))


def of_choices(student: torch.Tensor, teacher: torch.Tensor, heat: float = 1.0) -> torch.Tensor:
    """Return the cross entropy of the choice among the last axis against the teacher's."""
    wanted = torch.softmax(teacher / heat, dim=-1)
    return -(heat**2) * (wanted * torch.log_softmax(student / heat, dim=-1)).sum(-1)


def of_vectors(student: torch.Tensor, teacher: torch.Tensor, heat: float = 0.2) -> torch.Tensor:
    """Return, row by row, how badly a vector is told from the others by its teacher's, and back.

    InfoNCE (van den Oord, Li, Vinyals 2018) on cosines; both are (n, dim).
    """
    one, other = (torch.nn.functional.normalize(rows, dim=-1) for rows in (student, teacher))
    near, mine = one @ other.T / heat, torch.arange(len(one))
    there = torch.nn.functional.cross_entropy(near, mine, reduction="none")
    back = torch.nn.functional.cross_entropy(near.T, mine, reduction="none")
    return (there + back) / 2


def soft_targets(student: MF, teacher: Params, teaching: Teaching) -> Term:
    """Return the term of a student of matrix factorisation.

    *teacher* are the vectors of users and items, ``user`` and ``item``. Each item that was chosen
    and each negative is compared; the contrast is that of each item of a batch, once.
    """

    def term(params: Params, batch: Batch) -> torch.Tensor:
        ids = pairs_of(batch)
        items = ids.clamp(min=0)
        found = student.score(params, batch.users[:, None], items)
        said = (teacher["user"][batch.users][:, None] * teacher["item"][items]).sum(-1)
        each = of_pairs(found, said, teaching.heat) * (ids >= 0).to(torch.float32)
        total = teaching.weight * each.sum(-1)
        if teaching.contrast:
            every = torch.unique(batch.items)
            mine = student.items.lookup(params, every)
            apart = of_vectors(mine, teacher["item"][every], teaching.contrast_heat)
            total = total + teaching.contrast * apart.mean()
        return total

    return term


def distil(
    student: MF,
    first: Params,
    teacher: Params,
    train: UserItems,
    chosen: Hyperparameters,
    teaching: Teaching,
    *,
    draws: Draws,
    validate: Callable[[Params], float] | None = None,
) -> Params:
    """Return *first* of *student* trained on *train* and on what the *teacher* says of it.

    See ``fit`` and ``soft_targets``.
    """
    model = Added(student, soft_targets(student, teacher, teaching))
    rest: dict[str, Any] = {"n_items": student.n_items, "draws": draws, "validate": validate}
    return fit(model, first, train, chosen, **rest)
