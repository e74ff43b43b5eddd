"""HashGNN: signs of users and items from a graph, with real numbers as guidance while it learns.

Tan, Liu, Zhao, Yang, Zhou, Hu: Learning to Hash with Graph Neural Networks for Recommender Systems
(WWW 2020). A layer h = sign(tanh(W z)) on propagated vectors z, whose gradient passes straight
through; in training a share of the numbers, drawn anew in each step, stay tanh(W z), and that share
falls to 0. Losses: cross entropy of links, and the margin of a link's score above another's.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.propagation import Bipartite, propagate_in_torch
from droidloop.models.interfaces.learning import Params
from droidloop.models.numerics.losses import log_loss
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

from .fit import Hyperparameters
from .links import link_batches


@dataclass(frozen=True)
class Hashing:
    """How codes are learned.

    Attributes:
        bits: of a code.
        layers: of the graph.
        guided: the share of the passes in which some numbers stay real; 0: none ever does.
        margin: by which a link's score is to be above another's, of 1 where codes are the same.
        ranking: the weight of that.
        sharpness: by which scores between -1 and 1 are multiplied before they are logits.
        l2: of the vectors that are propagated, an example.
    """

    bits: int
    layers: int = 2
    guided: float = 0.7
    margin: float = 0.2
    ranking: float = 1.0
    sharpness: float = 6.0
    l2: float = 0.0


def hash_gnn(
    train: UserItems,
    n_items: int,
    chosen: Hyperparameters,
    hashing: Hashing,
    *,
    draws: Draws,
    validate: Callable[[Params], float] | None = None,
) -> Params:
    """Return codes of users and items, ``user`` and ``item``, +1 and -1.

    They are parameters of matrix factorisation on a binary table. The best pass by *validate* is
    one of those without guidance, where there are any.
    """
    graph, (users, dim) = Bipartite.of(train, n_items), (train.n_users, hashing.bits)
    rows = normal_rows(draws.child("nodes"), np.arange(users + n_items), dim, 0.1)
    each = np.arange(dim)
    turn = np.eye(dim) + 0.1 * draws.child("layer").normal(each[:, None], each) / np.sqrt(dim)
    values = [torch.from_numpy(rows), torch.from_numpy(turn.astype(np.float32))]
    nodes, layer = (value.requires_grad_() for value in values)
    descent = torch.optim.Adam([nodes, layer], lr=chosen.lr)

    def units() -> tuple[torch.Tensor, torch.Tensor]:
        user, item = propagate_in_torch(graph, nodes[:users], nodes[users:], hashing.layers)
        return user @ layer, item @ layer

    best, top, steps = None, -np.inf, 0
    until = hashing.guided * chosen.epochs
    for epoch in range(chosen.epochs):
        share = max(0.0, 1.0 - epoch / until) if until else 0.0
        batches = link_batches(train, n_items, chosen.negatives, chosen.batch, draws, epoch)
        with one_thread():
            for mine, item, other in batches:
                sides = [
                    hashed(side, share, draws.child(f"guidance/{k}"), steps)
                    for k, side in enumerate(units())
                ]
                loss = _loss(
                    (sides[0], sides[1]), mine, torch.cat([item[:, None], other], dim=1), hashing
                )
                picked = (nodes[mine], nodes[users + item])
                loss = loss + hashing.l2 / 2 * sum(one.square().sum() for one in picked)
                descent.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                descent.step()
                steps += 1
        with torch.no_grad():
            user, item = (torch.where(side >= 0, 1.0, -1.0) for side in units())
        codes = {"user": user, "item": item}
        value = 0.0 if validate is None else validate(codes)
        if best is None or validate is None or (share == 0 and value > top):
            best, top = codes, value if share == 0 else -np.inf
    assert best is not None
    return best


def hashed(units: torch.Tensor, share: float, draws: Draws, step: int) -> torch.Tensor:
    """Return tanh(*units*) for a *share* of the numbers, drawn for each row, else its sign.

    The sign has the gradient of tanh.
    """
    real = torch.tanh(units)
    signs = torch.where(real.detach() >= 0, 1.0, -1.0) + (real - real.detach())
    if share <= 0:
        return signs
    rows: IntArray = np.arange(len(units))
    drawn = draws.uniform(rows[:, None] * units.shape[1] + np.arange(units.shape[1]), step)
    return torch.where(torch.from_numpy(drawn < share), real, signs)


def _loss(
    sides: tuple[torch.Tensor, torch.Tensor],
    mine: torch.Tensor,
    ids: torch.Tensor,
    hashing: Hashing,
) -> torch.Tensor:
    user, item = sides
    scores = (user[mine][:, None] * item[ids]).mean(-1)
    labels = torch.zeros_like(scores)
    labels[:, 0] = 1
    links = log_loss(hashing.sharpness * scores, labels).sum()
    behind = torch.relu(hashing.margin - scores[:, :1] + scores[:, 1:]).sum()
    return links + hashing.ranking * behind
