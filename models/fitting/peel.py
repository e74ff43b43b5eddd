"""PEEL: a table of blocks for each group of users, which a phone cuts to its budget by itself.

Zheng, Qu, Chen, Zheng, Li, Yin: Personalized Elastic Embedding Learning for On-Device
Recommendation (IEEE TKDE 2024). The items' table is trained with everybody, in random subsets of
its blocks (as in ``tables/elastic.py``); users are clustered by their vectors; the table is trained
on for each group; then a controller learns what each block is worth to the group. A phone of that
group keeps the blocks of largest weight that fit its budget, and others when the budget changes:
all weights and the whole table came with the first message. What differs from the paper: the
controller is a gate for each number, under a price, and a block's weight is what passes its gates.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Params
from droidloop.models.numerics.kmeans import kmeans
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.elastic import CutTable, ElasticTable
from droidloop.models.tables.scaled import ScaledTable
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

from .fit import Hyperparameters, fit
from .torch_descent import implicit
from .training import Training

_ROUNDS = 25


@dataclass(frozen=True)
class GroupTable:
    """What the phones of a group get once: the whole table and what each block is worth."""

    table: ElasticTable
    params: Params
    weights: FloatArray

    def within(self, budget_bytes: int) -> tuple[CutTable, Params]:
        """Return the table of the blocks of largest weight that fit, and its parameters.

        Nothing but what the phone has is asked. A larger budget keeps all that a smaller one does.

        Raises:
            PackageError: not even one block fits.
        """
        table, order = self.table, np.argsort(-self.weights, kind="stable")
        best = None
        for count in range(1, table.blocks + 1):
            kept = (tuple(sorted(order[:count].tolist())),)
            cut = CutTable(
                *(table.n, table.dim, table.blocks, kept, np.arange(table.n)),
                name=table.name,
                sd=table.sd,
            )
            if cut.nbytes > budget_bytes:
                break
            best = cut
        if best is None:
            raise PackageError(
                f"table {table.name!r}: {budget_bytes} bytes hold no block of every vector"
            )
        return best, best.of(self.params[table.name])


@dataclass(frozen=True)
class Peeled:
    """Groups of users, the table of each, and the users' vectors as trained with it."""

    group: IntArray
    tables: list[GroupTable]
    users: torch.Tensor
    search_s: float


def peel(
    model: MF,
    params: Params,
    train: UserItems,
    groups: int,
    chosen: Hyperparameters,
    draws: Draws,
    *,
    price: float,
    validate: Callable[[Params, IntArray], float] | None = None,
) -> Peeled:
    """Return tables refined for *groups* of users, with the weights of their blocks.

    Args:
        model: on an elastic table, of which *params* are trained with everybody.
        params: see *model*.
        train: the items of all users.
        groups: how many there are, by k-means of the users' vectors.
        chosen: how a group's table is trained on, and its gates.
        draws: the chance of clustering and training.
        price: of the gates' mean size, in units of the loss.
        validate: a figure of merit of parameters for some users, by which the epoch is chosen.
    """
    started = time.process_time()
    table = model.items
    if not isinstance(table, ElasticTable):
        raise TypeError(f"groups need a table of blocks, not {table!r}")
    users = params["user"].clone()
    labels = kmeans(users.numpy(), groups, draws.child("groups"), most_rounds=_ROUNDS).labels
    tables = []
    for group in range(groups):
        mine = np.flatnonzero(labels == group)
        chance, own = draws.child(f"group/{group}"), torch.from_numpy(mine)
        start = {**params, "user": params["user"][own]}
        judge = None if validate is None else _of(validate, mine)
        refined = fit(
            *(model, start, train.take(mine), chosen),
            n_items=table.n,
            draws=chance,
            validate=judge,
        )
        users[own] = refined["user"]
        weights = _weights(model, refined, train.take(mine), chosen, chance, price)
        tables.append(GroupTable(table, {table.name: refined[table.name]}, weights))
    return Peeled(labels, tables, users, time.process_time() - started)


def _of(
    validate: Callable[[Params, IntArray], float], users: IntArray
) -> Callable[[Params], float]:
    return lambda params: validate(params, users)


def _weights(
    model: MF,
    params: Params,
    train: UserItems,
    chosen: Hyperparameters,
    draws: Draws,
    price: float,
) -> FloatArray:
    """Return what each block is worth: the mean square of what passes the gates learned for it."""
    table = model.items
    assert isinstance(table, ElasticTable)
    gated = ScaledTable(table.n, table.dim, name=table.name)
    gate = f"{table.name}_mask"
    values = {**params, gate: torch.ones(table.dim)}
    feed = implicit(train, chosen.batch, chosen.negatives, table.n, draws.child("gates"))
    training = Training(feed, draws, chosen.epochs, chosen.lr)
    learned = training.train(
        MF(table.n, table.dim, model.loss_name, table=gated),
        values,
        penalty=lambda now: price * now[gate].abs().mean(),
        only=frozenset({gate}),
    )
    passed = (learned[table.name] * learned[gate]).double().square().mean(0)
    return np.asarray(passed.reshape(table.blocks, -1).mean(1).numpy())
