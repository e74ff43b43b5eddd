"""Who is linked with whom: a graph of nodes as arrays, for cohorts, and as a networkx graph.

Edges are undirected and have a cost each. Whoever needs one node's neighbours reads a slice of two
arrays; whoever needs an algorithm on graphs asks for :meth:`Topology.graph`.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.law import kernel

MAX_EDGES = 20_000_000


@dataclass(frozen=True)
class Topology:
    """An undirected graph of nodes 0..nodes-1, without loops or double edges.

    *edges* is (e, 2), each row rising, rows in order; *costs* is (e,), not negative. What a cost
    counts is up to who made it: metres, microseconds, or 1 for each edge.
    """

    nodes: int
    edges: IntArray
    costs: IntArray

    @cached_property
    def _adjacency(self) -> tuple[IntArray, IntArray]:
        sources = np.concatenate([self.edges[:, 0], self.edges[:, 1]])
        targets = np.concatenate([self.edges[:, 1], self.edges[:, 0]])
        order = np.lexsort((targets, sources))
        offsets = np.searchsorted(sources[order], np.arange(self.nodes + 1))
        return offsets, targets[order]

    @property
    def offsets(self) -> IntArray:
        """Where each node's neighbours begin in ``neighbours``: (nodes + 1,)."""
        return self._adjacency[0]

    @property
    def neighbours(self) -> IntArray:
        """The neighbours of node 0, of node 1, ..., each in order: (2e,)."""
        return self._adjacency[1]

    @property
    def degrees(self) -> IntArray:
        """The number of neighbours of each node."""
        return np.diff(self.offsets)

    def of(self, node: int) -> IntArray:
        """Return the neighbours of *node*, in order."""
        return self.neighbours[self.offsets[node] : self.offsets[node + 1]]

    def graph(self) -> Any:
        """Return an ``nx.Graph`` of all nodes and edges, the edges with an attribute ``cost``."""
        import networkx as nx

        graph: nx.Graph[int] = nx.Graph()
        graph.add_nodes_from(range(self.nodes))
        rows = zip(self.edges.tolist(), self.costs.tolist(), strict=True)
        graph.add_edges_from((u, v, {"cost": cost}) for (u, v), cost in rows)
        return graph


def from_edges(nodes: int, edges: Any, costs: Any = None) -> Topology:
    """Return the topology of *edges* (e, 2): loops left out, double edges with their least cost.

    Raises:
        ValueError: an edge leads to no node, or a cost is negative.
    """
    pairs = np.asarray(edges, np.int64).reshape(-1, 2)
    prices = np.ones(len(pairs), np.int64) if costs is None else np.asarray(costs, np.int64)
    if len(prices) != len(pairs) or (prices < 0).any():
        raise ValueError("costs must be one for each edge, and not negative")
    if pairs.size and (pairs.min() < 0 or pairs.max() >= nodes):
        raise ValueError(f"edges must lead from and to nodes 0..{nodes - 1}")
    if len(pairs) > MAX_EDGES:
        raise ScenarioError(f"a topology of {len(pairs)} edges; {MAX_EDGES} are the most: thin it")
    pairs = np.sort(pairs, axis=1)
    kept = pairs[:, 0] != pairs[:, 1]
    pairs, prices = pairs[kept], prices[kept]
    order = np.lexsort((prices, pairs[:, 1], pairs[:, 0]))
    pairs, prices = pairs[order], prices[order]
    first = np.ones(len(pairs), np.bool_)
    first[1:] = (np.diff(pairs, axis=0) != 0).any(axis=1)
    return Topology(nodes, np.ascontiguousarray(pairs[first]), prices[first])


@kernel
def _label(nodes: int, edges: IntArray) -> IntArray:
    """Return for each node the smallest node that it is connected with (union-find)."""
    root = np.arange(nodes)
    for k in range(len(edges)):
        u, v = edges[k, 0], edges[k, 1]
        while root[u] != u:
            root[u] = root[root[u]]
            u = root[u]
        while root[v] != v:
            root[v] = root[root[v]]
            v = root[v]
        root[max(u, v)] = min(u, v)
    for node in range(nodes):
        root[node] = root[root[node]]
    return root


def components(topology: Topology) -> IntArray:
    """Return for each node the smallest node that it is connected with."""
    return _label(topology.nodes, topology.edges)


def repaired(topology: Topology, draws: Draws) -> Topology:
    """Return *topology* with one more edge for each part but the largest, which it leads to.

    Both ends are drawn within their parts. A new edge costs as much as the dearest one there is.
    """
    labels = components(topology)
    roots, sizes = np.unique(labels, return_counts=True)
    if len(roots) <= 1:
        return topology
    largest = roots[np.argmax(sizes)]
    others = roots[roots != largest]
    keys = draws.bits(np.arange(topology.nodes), 0)
    members = np.lexsort((keys, labels))
    starts = np.searchsorted(labels[members], others)
    hub = np.flatnonzero(labels == largest)
    ends = hub[draws.integers(others, 1, len(hub))]
    edges = np.column_stack([members[starts], ends])
    cost = int(topology.costs.max(initial=1))
    return from_edges(
        topology.nodes,
        np.concatenate([topology.edges, edges]),
        np.concatenate([topology.costs, np.full(len(edges), cost)]),
    )
