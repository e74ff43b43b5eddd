"""CH and PPH: real vectors that are made for it, turned, and then rounded to signs.

Liu, He, Deng, Lang: Collaborative Hashing (CVPR 2014), and Zhou, Zha: Learning Binary Codes for
Collaborative Filtering (KDD 2012): vectors are learned with terms for balance (each number is above
0 for half) and orthogonality, then a rotation brings them near to signs. Zhang, Wang, Ruan, Ma:
Preference Preserving Hashing (SIGIR 2014): the vectors learn to have one length, and what is left
of it ships beside the signs, in two bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Batch, Params, init_all
from droidloop.models.numerics.rotation import nearest_to_signs
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, FloatArray
from droidloop.platform.draws import Draws

from .added import Added, Term
from .fit import Hyperparameters, fit

Validate = Callable[[Params], float]
"""A figure of merit of codes, ``user`` and ``item``, higher is better."""


@dataclass(frozen=True)
class Relaxed:
    """What relaxed vectors are asked beside the loss.

    Attributes:
        balance: the weight of the squares of the mean of each number over a batch's vectors.
        spread: of the products of different numbers over a batch's items (orthogonality).
        length: of how far squared lengths are from *norm*, squared.
        norm: the squared length that vectors should have.
    """

    balance: float = 0.0
    spread: float = 0.0
    length: float = 0.0
    norm: float = 4.0


def relaxed_term(model: MF, relaxed: Relaxed) -> Term:
    """Return what is added to the loss of each example of *model*."""

    def term(params: Params, batch: Batch) -> torch.Tensor:
        user = model.user(params, batch.users)
        item = model.items.lookup(params, batch.items)
        total = torch.zeros(len(batch.users))
        if relaxed.balance:
            means = [rows.mean(0).square().sum() for rows in (user, item)]
            total = total + relaxed.balance * (means[0] + means[1])
        if relaxed.spread:
            products = item.T @ item / len(item)
            apart = products - torch.diag(torch.diagonal(products))
            total = total + relaxed.spread * apart.square().sum()
        if relaxed.length:
            gaps = [rows.square().sum(-1) - relaxed.norm for rows in (user, item)]
            total = total + relaxed.length * (gaps[0].square() + gaps[1].square())
        return total

    return term


def relax(
    model: MF,
    train: UserItems,
    chosen: Hyperparameters,
    relaxed: Relaxed,
    *,
    draws: Draws,
    validate: Validate | None = None,
) -> Params:
    """Return real vectors of users and items that were asked what *relaxed* says."""
    first = init_all(model, draws.child("init"), train.n_users)
    added = Added(model, relaxed_term(model, relaxed))
    rest: dict[str, Any] = {"n_items": model.n_items, "draws": draws, "validate": validate}
    return fit(added, first, train, chosen, **rest)


def turned(vectors: Params, draws: Draws) -> tuple[FloatArray, FloatArray]:
    """Return the vectors of users and items in the rotation in which their signs lose least.

    Both are turned alike, so that their products stay; both sides count alike.
    """
    sides = [vectors[name].numpy().astype(np.float64) for name in ("user", "item")]
    scaled = [side / np.sqrt(np.square(side).mean()) for side in sides]
    rotation = nearest_to_signs(np.concatenate(scaled), draws)
    return sides[0] @ rotation, sides[1] @ rotation


def signs_of(vectors: Array) -> torch.Tensor:
    """Return +1 or -1 for each number."""
    return torch.from_numpy(np.where(vectors >= 0, 1.0, -1.0).astype(np.float32))


def collaborative_hashing(
    model: MF,
    train: UserItems,
    chosen: Hyperparameters,
    relaxed: Relaxed,
    *,
    draws: Draws,
    validate: Validate | None = None,
) -> Params:
    """Return codes of users and items, +1 and -1 for each number of a vector of *model* (CH).

    They are parameters of matrix factorisation on a binary table. The epoch is chosen by
    *validate* of the codes.
    """

    def codes(vectors: Params) -> Params:
        user, item = turned(vectors, draws.child("rotation"))
        return {"user": signs_of(user), "item": signs_of(item)}

    judge = None if validate is None else lambda vectors: validate(codes(vectors))
    return codes(relax(model, train, chosen, relaxed, draws=draws, validate=judge))


def preference_preserving(
    model: MF,
    train: UserItems,
    chosen: Hyperparameters,
    relaxed: Relaxed,
    *,
    draws: Draws,
    validate: Validate | None = None,
) -> tuple[Params, Params]:
    """Return real vectors of one length, turned, and the latent numbers of a ``PhaseTable`` (PPH).

    The products of the first are what the codes of the second stand for. *validate* is asked of
    the real vectors.
    """
    vectors = relax(model, train, chosen, relaxed, draws=draws, validate=validate)
    user, item = turned(vectors, draws.child("rotation"))
    real = {"user": user.astype(np.float32), "item": item.astype(np.float32)}
    tensors = {name: torch.from_numpy(side) for name, side in real.items()}
    return tensors, {"user": signs_of(user), "item": tensors["item"]}
