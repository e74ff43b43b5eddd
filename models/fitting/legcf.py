"""LEGCF: which rows of a small table make an item is found on the graph, in closed form.

Liang et al.: Lightweight Embeddings for Graph Collaborative Filtering (SIGIR
2024). The rows are nodes beside users and items, each linked to the items that it makes; after each
pass over the data the items' propagated vectors H are told by those of the rows, S = H pinv(M), and
the largest entries of each row of S stay. Ours: links to rows have no weights, what stays of S is
fitted to H anew, and what was found is trained once more without the graph, as phones score.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.propagation import Bipartite, propagate, propagate_in_torch
from droidloop.models.interfaces.learning import Params
from droidloop.models.numerics.losses import bpr
from droidloop.models.numerics.one_thread import one_thread
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.assigned import AssignedTable, drawn_rows
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.arrays import Array, FloatArray, IntArray
from droidloop.platform.draws import Draws

from .fit import Hyperparameters, fit
from .links import link_batches


@dataclass(frozen=True)
class Assigning:
    """How the assignment is found.

    Attributes:
        centers: rows of the small table.
        entries: of them that make an item.
        layers: of LightGCN.
        search: passes, step and batch on the graph; its negatives are one for each item.
    """

    centers: int
    search: Hyperparameters
    entries: int = 2
    layers: int = 2


def closed_form(full: Array, centers: Array) -> FloatArray:
    """Return the S that is nearest, S *centers* to *full*, by squares; of several the smallest."""
    found: FloatArray = np.asarray(full, np.float64) @ np.linalg.pinv(centers.astype(np.float64))
    return found


def entries_of(full: Array, centers: Array, entries: int) -> tuple[IntArray, FloatArray]:
    """Return the rows of the *entries* largest numbers of each row of S, and weights for them.

    The weights are those that tell *full* best by these rows alone.
    """
    every = closed_form(full, centers)
    rows: IntArray = np.argsort(-every, axis=1, kind="stable")[:, :entries]
    picked = centers[rows].astype(np.float64)  # (n, entries, dim)
    products = picked @ picked.transpose(0, 2, 1)
    products += (
        1e-6 * np.maximum(products.trace(axis1=1, axis2=2), 1e-9)[:, None, None] * np.eye(entries)
    )
    wanted = np.einsum("ned,nd->ne", picked, full.astype(np.float64))
    return rows, np.linalg.solve(products, wanted[..., None])[..., 0]


def with_centers(train: UserItems, rows: IntArray, n_items: int, centers: int) -> Bipartite:
    """Return the graph of users, and after them *centers*, with items; *rows* are the items'."""
    order = np.argsort(rows.ravel(), kind="stable")
    owners = (order // rows.shape[1]).astype(train.items.dtype)
    counts = np.bincount(rows.ravel(), minlength=centers)
    items = np.concatenate([train.items, owners])
    ends = np.concatenate([train.offsets, train.offsets[-1] + np.cumsum(counts)])
    return Bipartite.of(UserItems.bare(items, ends), n_items)


def assignment(
    train: UserItems, n_items: int, dim: int, setting: Assigning, draws: Draws
) -> tuple[AssignedTable, Params]:
    """Return the table and, of its parameters and users, the propagated values."""
    users, c = train.n_users, setting.centers
    rows = drawn_rows(n_items, c, setting.entries, draws.child("rows"))
    weights = AssignedTable(n_items, dim, c, rows).init(draws)["item_weights"].numpy()
    first = normal_rows(draws.child("nodes"), np.arange(users + c), dim, 0.1)
    nodes = torch.from_numpy(first).requires_grad_()
    search = setting.search
    descent = torch.optim.Adam([nodes], lr=search.lr)
    for epoch in range(search.epochs):
        graph = with_centers(train, rows, n_items, c)
        with one_thread():
            for mine, chosen, other in link_batches(train, n_items, 1, search.batch, draws, epoch):
                items = _composed(nodes[users:], rows, weights)
                user, item = propagate_in_torch(graph, nodes, items, setting.layers)
                own = user[mine]
                scores = ((own * item[ids]).sum(-1) for ids in (chosen, other[:, 0]))
                descent.zero_grad()
                bpr(*scores).sum().backward()  # type: ignore[no-untyped-call]
                descent.step()
        still = nodes.detach().numpy()
        made = np.einsum("ne,ned->nd", weights, still[users:][rows]).astype(np.float32)
        of_users, of_items = propagate(graph, still, made, setting.layers, threads=1)
        rows, weights = entries_of(of_items, of_users[users:], setting.entries)
    table = AssignedTable(n_items, dim, c, rows)
    return table, {
        "user": torch.from_numpy(of_users[:users].copy()),
        table.name: torch.from_numpy(of_users[users:].copy()),
        table.weights: torch.from_numpy(weights.astype(np.float32)),
    }


def _composed(centers: torch.Tensor, rows: IntArray, weights: Array) -> torch.Tensor:
    picked = torch.nn.functional.embedding(torch.from_numpy(rows), centers)
    return (picked * torch.from_numpy(weights.astype(np.float32))[..., None]).sum(-2)


def legcf(
    first: MF,
    train: UserItems,
    chosen: Hyperparameters,
    setting: Assigning,
    *,
    draws: Draws,
    validate: Callable[[AssignedTable, Params], float] | None = None,
) -> tuple[AssignedTable, Params]:
    """Return an assigned table and all parameters, its own and the vectors of users.

    Args:
        first: gives dimensions, loss and regulariser; its table is not used.
        train: items by user.
        chosen: how rows, weights and users are trained once they are assigned.
        setting: how that is found.
        draws: the chance.
        validate: a figure of merit of what would ship, higher is better.
    """
    table, values = assignment(train, first.n_items, first.dim, setting, draws.child("search"))
    return table, on_rows(table, values, first, train, chosen, draws=draws, validate=validate)


def on_rows(
    table: AssignedTable,
    values: Params,
    first: MF,
    train: UserItems,
    chosen: Hyperparameters,
    *,
    draws: Draws,
    validate: Callable[[AssignedTable, Params], float] | None = None,
) -> Params:
    """Return *values* trained on *table*; of *first* the loss and the regulariser."""
    model = MF(first.n_items, first.dim, first.loss_name, first.l2, first.sd, table)
    judge = None if validate is None else lambda params: validate(table, params)
    rest: dict[str, Any] = {
        "n_items": first.n_items,
        "draws": draws.child("again"),
        "validate": judge,
    }
    return fit(model, values, train, chosen, **rest)
