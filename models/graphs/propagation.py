"""Propagation on the graph of users and items: the mean of the layers of LightGCN, compiled.

He et al., LightGCN (SIGIR 2020), equations 7 and 8: a layer is the symmetric normalised adjacency
times the one before, and nothing else. The operator is its own transpose, so the backward pass is
the forward pass on the slopes. Each row is summed in the order of its edges, whatever else is in
the graph and on any number of threads.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems, union
from droidloop.platform.arrays import Float32Array, Int32Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks


@dataclass(frozen=True)
class Bipartite:
    """Users, items, and an edge for each item of a user, once; seen from both sides.

    Attributes:
        items: the items of all users, ragged, (edges,).
        item_offsets: where those of each user begin, (n_users + 1,).
        users: the users of all items, ragged, (edges,).
        user_offsets: where those of each item begin, (n_items + 1,).
        user_scale: 1 / sqrt(degree) of each user, 0 without an edge, (n_users,).
        item_scale: of each item, likewise, (n_items,).
    """

    items: Int32Array
    item_offsets: IntArray
    users: Int32Array
    user_offsets: IntArray
    user_scale: Float32Array
    item_scale: Float32Array

    @classmethod
    def of(
        cls,
        data: UserItems,
        n_items: int,
        item_degrees: IntArray | None = None,
        user_degrees: IntArray | None = None,
    ) -> "Bipartite":
        """Return the graph of *data*; events that repeat are one edge.

        Where the graph is a part of a larger one, *item_degrees* (n_items,) and *user_degrees*
        (n_users,) can be those in the larger one; by default they are the graph's own.

        Raises:
            ValueError: an item lies outside 0..n_items-1.
        """
        edges = union(data)
        if edges.items.min(initial=0) < 0 or edges.items.max(initial=-1) >= n_items:
            raise ValueError(f"data hold items outside 0..{n_items - 1}")
        owners = np.repeat(np.arange(edges.n_users, dtype=np.int32), edges.counts)
        order = np.argsort(edges.items, kind="stable")
        counts = np.bincount(edges.items, minlength=n_items)
        offsets = np.zeros(n_items + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        return cls(
            items=edges.items.astype(np.int32),
            item_offsets=edges.offsets,
            users=owners[order],
            user_offsets=offsets,
            user_scale=_scale(edges.counts if user_degrees is None else user_degrees),
            item_scale=_scale(counts if item_degrees is None else item_degrees),
        )

    @property
    def n_users(self) -> int:
        """How many users there are."""
        return len(self.item_offsets) - 1

    @property
    def n_items(self) -> int:
        """How many items there are."""
        return len(self.user_offsets) - 1

    @property
    def n_edges(self) -> int:
        """How many edges there are."""
        return len(self.items)


def propagate(
    graph: Bipartite,
    user: Float32Array,
    item: Float32Array,
    layers: int,
    threads: int | None = None,
) -> tuple[Float32Array, Float32Array]:
    """Return the means of layers 0 to *layers* of the vectors of users and items, new arrays.

    With x the first layer and A the adjacency: x + A(x + A(x + ...)), divided at the end.
    """
    if len(user) != graph.n_users or len(item) != graph.n_items:
        have = (len(user), len(item))
        raise ValueError(f"{have} vectors for a graph of {graph.n_users} users, {graph.n_items}")
    user, item = np.ascontiguousarray(user), np.ascontiguousarray(item)
    users, items = user, item
    for layer in range(layers):
        share = np.float32(1 / (layers + 1) if layer == layers - 1 else 1)
        new_users, new_items = np.empty_like(user), np.empty_like(item)

        def to_users(
            low: int,
            high: int,
            out: Float32Array = new_users,
            x: Float32Array = items,
            share: np.float32 = share,
        ) -> None:
            ends = (graph.items, graph.item_offsets, graph.item_scale, graph.user_scale)
            hop(low, high, *ends, x, user, share, out)

        def to_items(
            low: int,
            high: int,
            out: Float32Array = new_items,
            x: Float32Array = users,
            share: np.float32 = share,
        ) -> None:
            ends = (graph.users, graph.user_offsets, graph.user_scale, graph.item_scale)
            hop(low, high, *ends, x, item, share, out)

        for_chunks(to_users, graph.n_users, threads)
        for_chunks(to_items, graph.n_items, threads)
        users, items = new_users, new_items
    return (users, items) if layers else (user.copy(), item.copy())


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, user: torch.Tensor, item: torch.Tensor, graph: Bipartite, layers: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        ctx.graph, ctx.layers = graph, layers
        return _in_torch(graph, user, item, layers)

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        user, item = slopes
        return *_in_torch(ctx.graph, user, item, ctx.layers), None, None


def propagate_in_torch(
    graph: Bipartite, user: torch.Tensor, item: torch.Tensor, layers: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what ``propagate`` does, differentiable in *user* and *item*; as they are at 0."""
    if layers == 0:
        return user, item
    out = _Propagate.apply(user, item, graph, layers)  # type: ignore[no-untyped-call]
    return cast(tuple[torch.Tensor, torch.Tensor], out)


def _in_torch(
    graph: Bipartite, user: torch.Tensor, item: torch.Tensor, layers: int
) -> tuple[torch.Tensor, torch.Tensor]:
    users, items = propagate(graph, user.detach().numpy(), item.detach().numpy(), layers)
    return torch.from_numpy(users), torch.from_numpy(items)


def _scale(degrees: IntArray) -> Float32Array:
    return np.where(degrees > 0, 1 / np.sqrt(np.maximum(degrees, 1)), 0).astype(np.float32)


@kernel
def hop(
    low: int,
    high: int,
    ends: Int32Array,
    offsets: IntArray,
    scale_from: Float32Array,
    scale_to: Float32Array,
    x: Float32Array,
    first: Float32Array,
    share: np.float32,
    out: Float32Array,
) -> None:
    """Write share * (*first* + A *x*) for the rows low..high-1 of *out*; four edges at a time.

    Row r has the *ends* at ``offsets[r]:offsets[r + 1]``, which are rows of *x*.
    """
    total = np.empty(x.shape[1], np.float32)
    for r in range(low, high):
        total[:] = 0
        t, end = offsets[r], offsets[r + 1]
        while t + 4 <= end:
            a, b, c, d = ends[t], ends[t + 1], ends[t + 2], ends[t + 3]
            p, q, s, w = scale_from[a], scale_from[b], scale_from[c], scale_from[d]
            for j in range(total.size):
                total[j] += (p * x[a, j] + q * x[b, j]) + (s * x[c, j] + w * x[d, j])
            t += 4
        while t < end:
            a = ends[t]
            p = scale_from[a]
            for j in range(total.size):
                total[j] += p * x[a, j]
            t += 1
        for j in range(total.size):
            out[r, j] = share * (first[r, j] + scale_to[r] * total[j])
