"""Topologies by name: ring, complete, small world, scale free, random regular, clusters, near ones.

Textbook graphs come from networkx, each seeded with a draw of its own, never from a global
generator: the same draws give the same graph, whatever else is made.
"""

from pathlib import Path
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError

from .formats import read_text
from .nearest import nearest
from .topology import MAX_EDGES, Topology, from_edges

EMBEDDING_COST = 1_000_000
"""Cost of a unit of distance between embeddings."""


def _seed(draws: Draws) -> int:
    return int(draws.bits(0, 0)) >> 1


def _of(graph: Any) -> Topology:
    edges = np.fromiter(
        (end for edge in graph.edges() for end in edge), np.int64, 2 * graph.number_of_edges()
    )
    return from_edges(graph.number_of_nodes(), edges)


def _fits(name: str, nodes: int, links: int, least: int = 1) -> None:
    if not least <= links < nodes:
        raise ScenarioError(
            f"topology {name!r}: links must lie in {least}..{nodes - 1} for {nodes} nodes,"
            f" not {links}"
        )


def _even(name: str, links: int) -> None:
    if links % 2:
        raise ScenarioError(f"topology {name!r}: links must be even, not {links}")


def ring(nodes: int, links: int = 2) -> Topology:
    """Return a ring in which each node is linked with its *links* nearest, an even number."""
    _fits("ring", nodes, links, 2)
    _even("ring", links)
    here = np.arange(nodes)
    ahead = np.arange(1, links // 2 + 1)
    there = (here[:, None] + ahead) % nodes
    return from_edges(nodes, np.column_stack([np.repeat(here, len(ahead)), there.ravel()]))


def complete(nodes: int) -> Topology:
    """Return the graph of all pairs."""
    if nodes * (nodes - 1) // 2 > MAX_EDGES:
        raise ScenarioError(
            f"topology 'complete': {nodes} nodes have more than {MAX_EDGES} pairs; use another"
        )
    return from_edges(nodes, np.column_stack(np.triu_indices(nodes, 1)))


def small_world(nodes: int, links: int, rewired: float, draws: Draws) -> Topology:
    """Return a ring of *links* with a share of its edges led elsewhere (Watts, Strogatz 1998)."""
    import networkx as nx

    _fits("small_world", nodes, links, 2)
    _even("small_world", links)
    if not 0.0 <= rewired <= 1.0:
        raise ScenarioError(f"topology 'small_world': rewired must lie in 0..1, not {rewired}")
    return _of(nx.watts_strogatz_graph(nodes, links, rewired, seed=_seed(draws)))


def scale_free(nodes: int, links: int, draws: Draws) -> Topology:
    """Return a graph grown by preferential attachment, *links* a node (Barabasi, Albert 1999)."""
    import networkx as nx

    _fits("scale_free", nodes, links)
    return _of(nx.barabasi_albert_graph(nodes, links, seed=_seed(draws)))


def random_regular(nodes: int, links: int, draws: Draws) -> Topology:
    """Return a random graph in which every node has *links* (Steger, Wormald 1999)."""
    import networkx as nx

    _fits("random_regular", nodes, links)
    if nodes * links % 2:
        raise ScenarioError(
            f"topology 'random_regular': {nodes} nodes of {links} links each: make one of them even"
        )
    return _of(nx.random_regular_graph(links, nodes, seed=_seed(draws)))


def clusters(
    nodes: int, count: int, links: int, bridges: int, draws: Draws
) -> tuple[Topology, IntArray]:
    """Return *count* clusters of about equal size, and the cluster of each node.

    Who is in which is drawn. A cluster is a random ring with *links* nearest each (all of them,
    where there are no more), and sends *bridges* edges to nodes drawn from other clusters.
    """
    if not 1 <= count <= nodes // 2:
        raise ScenarioError(
            f"topology 'clusters': count must lie in 1..{nodes // 2} for {nodes} nodes, not {count}"
        )
    _fits("clusters", nodes, links, 2)
    _even("clusters", links)
    if bridges < 0:
        raise ScenarioError(f"topology 'clusters': bridges must not be negative: {bridges}")
    order = draws.child("members").order(np.arange(nodes), 0)
    cluster = np.zeros(nodes, np.int64)
    cluster[order] = np.arange(nodes) * count // nodes
    starts = np.searchsorted(cluster[order], np.arange(count + 1))
    first, size = starts[cluster[order]], np.diff(starts)[cluster[order]]
    edges = []
    for ahead in range(1, links // 2 + 1):
        there = first + (np.arange(nodes) - first + ahead) % size
        edges.append(np.column_stack([order, order[there]]))
    if count > 1 and bridges:
        edges.append(_bridges(order, starts, bridges, draws.child("bridges")))
    return from_edges(nodes, np.concatenate(edges)), cluster


def _bridges(order: IntArray, starts: IntArray, bridges: int, draws: Draws) -> IntArray:
    """Return edges from each cluster to nodes of others, both ends drawn."""
    count, nodes = len(starts) - 1, len(order)
    rows, counters = np.arange(count)[:, None], np.arange(bridges)
    size = np.diff(starts)[:, None]
    inside = starts[:-1, None] + (draws.uniform(rows, 2 * counters) * size).astype(np.int64)
    # a place among all that lie outside, counted from the end of the cluster
    outside = (draws.uniform(rows, 2 * counters + 1) * (nodes - size)).astype(np.int64)
    other = (starts[1:, None] + outside) % nodes
    return np.column_stack([order[inside].ravel(), order[other].ravel()])


def geographic(places_m: Any, links: int, draws: Draws) -> Topology:
    """Return the graph in which each node is linked with its *links* nearest; costs in metres.

    An edge holds both ways, so that a node in a dense place may have more.
    """
    return _near("geographic", places_m, links, 1, draws)


def embedded(embeddings: Any, links: int, draws: Draws) -> Topology:
    """Return the graph of each node with the *links* nearest to its embedding (Euclidean).

    Costs are distances times ``EMBEDDING_COST``. Exact up to ``nearest.EXACT_POINTS`` nodes.
    """
    return _near("embedded", embeddings, links, EMBEDDING_COST, draws)


def _near(name: str, points: Any, links: int, unit: int, draws: Draws) -> Topology:
    table = np.asarray(points, np.float64)
    _fits(name, len(table), links)
    rows, squares = nearest(table, links, draws)
    here = np.repeat(np.arange(len(table)), links)
    costs = np.rint(np.sqrt(squares.ravel()) * unit).astype(np.int64)
    return from_edges(len(table), np.column_stack([here, rows.ravel()]), costs)


def _is_number(cell: str) -> bool:
    return cell.isascii() and cell.isdigit() and len(cell) < 16


def from_file(file: Path, nodes: int | None = None) -> Topology:
    """Read an edge list: two node numbers a line, a cost after them where there is one; # comments.

    Raises:
        DataError: the file is missing, or a line is not of this form.
    """
    edges: list[tuple[int, int]] = []
    costs: list[int] = []
    for number, line in enumerate(read_text(file).splitlines(), start=1):
        cells = line.split("#", 1)[0].replace(",", " ").split()
        if not cells:
            continue
        if len(cells) not in (2, 3) or not all(map(_is_number, cells)):
            raise DataError(f"{file}: line {number}: give two nodes and perhaps a cost: {line!r}")
        values = [int(cell) for cell in cells]
        edges.append((values[0], values[1]))
        costs.append(values[2] if len(values) == 3 else 1)
    if not edges:
        raise DataError(f"{file}: no edge in this file; give two node numbers a line")
    most = max(max(edge) for edge in edges)
    if most >= (MAX_EDGES if nodes is None else nodes):
        raise DataError(f"{file}: node {most} is beyond the last one; number nodes from 0")
    return from_edges(most + 1 if nodes is None else nodes, edges, costs)
