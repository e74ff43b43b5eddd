"""Batches of who has what, with items that stand for what they have not; of fitters on graphs."""

from collections.abc import Iterator

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.platform.draws import Draws

Links = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Users, their items and the negatives of a batch, (batch,), (batch,) and (batch, k)."""


def link_batches(
    train: UserItems, n_items: int, negatives: int, size: int, draws: Draws, epoch: int
) -> Iterator[Links]:
    """Yield the batches of *epoch* in a new order, each item with new *negatives*."""
    users = np.arange(train.n_users)
    drawn = draw_negatives(
        *(train, negatives, n_items, train), phones=users, draws=draws, counter=epoch
    )
    owners = np.repeat(users, train.counts)
    order = np.argsort(draws.child("epoch").bits(np.arange(len(owners)), epoch), kind="stable")
    for start in range(0, len(order), size):
        part = order[start : start + size]
        ids = (owners[part], train.items[part], drawn[part])
        user, item, other = (torch.from_numpy(one.astype(np.int64)) for one in ids)
        yield user, item, other
