"""Topologies: degrees and distances as their makers promise, arrays that agree with networkx."""

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest

from droidloop.network.generators import (
    EMBEDDING_COST,
    clusters,
    complete,
    embedded,
    from_file,
    geographic,
    random_regular,
    ring,
    scale_free,
    small_world,
)
from droidloop.network.nearest import nearest
from droidloop.network.topology import Topology, components, from_edges, repaired
from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError, ScenarioError

DRAWS = Draws(8, "topology")
NODES = 200


def points(count: int, axes: int, row: int = 0) -> FloatArray:
    return DRAWS.child(row).normal(np.arange(count)[:, None], np.arange(axes))


MAKERS: dict[str, Callable[[Draws], Topology]] = {
    "ring": lambda draws: ring(NODES, 4),
    "complete": lambda draws: complete(NODES),
    "small_world": lambda draws: small_world(NODES, 6, 0.2, draws),
    "scale_free": lambda draws: scale_free(NODES, 3, draws),
    "random_regular": lambda draws: random_regular(NODES, 5, draws),
    "clusters": lambda draws: clusters(NODES, 7, 4, 3, draws)[0],
    "geographic": lambda draws: geographic(1000 * points(NODES, 2), 4, draws),
    "embedded": lambda draws: embedded(points(NODES, 16), 4, draws),
}


@pytest.fixture(params=MAKERS, name="made")
def _made(request: pytest.FixtureRequest) -> Topology:
    return MAKERS[request.param](DRAWS)


def test_the_arrays_and_the_graph_say_the_same(made: Topology) -> None:
    graph = made.graph()
    assert sorted(graph.nodes) == list(range(NODES))
    assert graph.number_of_edges() == len(made.edges)
    for node in range(NODES):
        assert made.of(node).tolist() == sorted(graph.neighbors(node))
    assert made.degrees.tolist() == [degree for _, degree in sorted(graph.degree)]


def test_edges_are_sorted_and_neither_loops_nor_twice(made: Topology) -> None:
    assert (made.edges[:, 0] < made.edges[:, 1]).all()
    pairs = made.edges.tolist()
    assert pairs == sorted(pairs)
    assert len({tuple(pair) for pair in pairs}) == len(pairs)


def test_each_edge_has_its_cost(made: Topology) -> None:
    graph = made.graph()
    for (one, other), cost in zip(made.edges.tolist(), made.costs.tolist(), strict=True):
        assert graph.edges[one, other]["cost"] == cost >= 0


@pytest.mark.parametrize("name", MAKERS)
def test_the_same_draws_make_the_same_graph(name: str) -> None:
    one, again = MAKERS[name](DRAWS), MAKERS[name](Draws(8, "topology"))
    assert (one.edges == again.edges).all()
    assert (one.costs == again.costs).all()


@pytest.mark.parametrize("name", ["small_world", "scale_free", "random_regular", "clusters"])
def test_other_draws_make_another_graph_and_no_global_generator_matters(name: str) -> None:
    state = str(np.random.get_state())
    one, other = MAKERS[name](DRAWS), MAKERS[name](Draws(9, "topology"))
    assert one.edges.tolist() != other.edges.tolist()
    assert str(np.random.get_state()) == state


def test_a_ring_links_the_nearest_and_a_complete_graph_all() -> None:
    assert ring(10, 4).of(0).tolist() == [1, 2, 8, 9]
    assert ring(3, 2).edges.tolist() == [[0, 1], [0, 2], [1, 2]]
    assert len(complete(50).edges) == 50 * 49 // 2
    assert complete(1).edges.shape == (0, 2)


def test_every_node_of_a_random_regular_graph_has_its_links() -> None:
    assert set(random_regular(NODES, 7, DRAWS).degrees.tolist()) == {7}


def test_a_small_world_has_short_ways_and_many_triangles() -> None:
    world = small_world(1000, 10, 0.1, DRAWS)
    lattice = ring(1000, 10)
    assert len(world.edges) == len(lattice.edges)
    assert nx.average_clustering(world.graph()) > 0.4
    assert hops(world) < hops(lattice) / 5


def hops(topology: Topology) -> float:
    """The mean number of hops from twenty nodes to all others."""
    graph = topology.graph()
    lengths = [nx.single_source_shortest_path_length(graph, node) for node in range(0, 1000, 50)]
    return float(np.mean([list(length.values()) for length in lengths]))


def test_a_scale_free_graph_has_hubs() -> None:
    degrees = scale_free(5000, 3, DRAWS).degrees
    assert degrees.min() == 3
    assert degrees.max() > 20 * np.median(degrees)


def test_clusters_are_linked_within_and_bridged_between() -> None:
    topology, cluster = clusters(NODES, 7, 4, 3, DRAWS)
    sizes = np.bincount(cluster)
    assert sizes.max() - sizes.min() <= 1
    across = cluster[topology.edges[:, 0]] != cluster[topology.edges[:, 1]]
    assert 0 < np.count_nonzero(across) <= 7 * 3
    inside = from_edges(NODES, topology.edges[~across])
    assert set(inside.degrees.tolist()) == {4}
    assert len(np.unique(components(inside))) == 7
    apart, _ = clusters(NODES, 7, 4, 0, DRAWS)
    assert len(np.unique(components(apart))) == 7


def test_clusters_no_larger_than_their_links_are_complete() -> None:
    topology, cluster = clusters(12, 4, 6, 0, DRAWS)
    assert set(np.bincount(cluster).tolist()) == {3}
    assert set(topology.degrees.tolist()) == {2}


@pytest.mark.parametrize("axes", [1, 2, 8])
def test_the_nearest_are_those_that_all_pairs_say(axes: int) -> None:
    table = points(700, axes)
    squares = ((table[:, None] - table[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, np.inf)
    rows, found = nearest(table, 5, DRAWS)
    assert (rows == np.argsort(squares, axis=1, kind="stable")[:, :5]).all()
    assert np.allclose(found, np.sort(squares, axis=1)[:, :5])


def test_equal_distances_go_by_row_number() -> None:
    rows, squares = nearest(np.zeros((6, 2)), 3, DRAWS)
    assert rows[0].tolist() == [1, 2, 3]
    assert rows[4].tolist() == [0, 1, 2]
    assert not squares.any()


def test_cells_find_nearly_all_near_ones_and_all_where_all_cells_are_looked_at() -> None:
    table = points(3000, 2)
    exact, _ = nearest(table, 6, DRAWS)
    close, _ = nearest(table, 6, DRAWS, probes=8)
    assert (close == exact).mean() > 0.995
    whole, _ = nearest(table, 6, DRAWS, probes=10_000)
    assert (whole == exact).all()


def test_costs_are_metres_on_a_map_and_millionths_between_embeddings() -> None:
    places = np.array([[0.0, 0.0], [3.0, 4.0], [100.0, 0.0]])
    made = geographic(places, 1, DRAWS)
    assert (made.edges.tolist(), made.costs.tolist()) == ([[0, 1], [1, 2]], [5, 97])
    made = embedded(places / 100, 1, DRAWS)
    assert made.costs.tolist() == pytest.approx([0.05 * EMBEDDING_COST, 970_824], abs=1)


def test_double_edges_keep_their_least_cost_and_loops_go() -> None:
    made = from_edges(4, [[2, 1], [1, 2], [3, 3], [0, 3]], [9, 4, 1, 2])
    assert made.edges.tolist() == [[0, 3], [1, 2]]
    assert made.costs.tolist() == [2, 4]


def test_components_are_those_of_networkx() -> None:
    for row in range(20):
        edges = DRAWS.integers(row, np.arange(120), 150).reshape(-1, 2)
        made = from_edges(150, edges)
        labels = components(made)
        for part in nx.connected_components(made.graph()):
            assert {int(labels[node]) for node in part} == {min(part)}


def test_a_repaired_graph_is_connected_by_one_edge_a_part() -> None:
    apart, _ = clusters(NODES, 9, 4, 0, DRAWS)
    whole = repaired(apart, DRAWS)
    assert len(whole.edges) == len(apart.edges) + 8
    assert nx.is_connected(whole.graph())
    assert repaired(whole, DRAWS) is whole
    lonely = repaired(from_edges(5, np.zeros((0, 2))), DRAWS)
    assert nx.is_connected(lonely.graph())


@pytest.mark.parametrize("name", ["edges.txt", "edges.txt.gz"])
def test_an_edge_list_is_read_with_costs_and_comments(tmp_path: Path, name: str) -> None:
    text = "# u v cost\n0 1\n\n1,2,250  # slow\n3 0 7\n"
    file = tmp_path / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    made = from_file(file)
    assert made.nodes == 4
    assert made.edges.tolist() == [[0, 1], [0, 3], [1, 2]]
    assert made.costs.tolist() == [1, 7, 250]
    assert from_file(file, nodes=10).nodes == 10


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no edge in this file"),
        ("0 1\n0\n", "line 2: give two nodes"),
        ("0 -1\n", "line 1: give two nodes"),
        ("0 1 2 3\n", "line 1: give two nodes"),
        ("a b\n", "line 1: give two nodes"),
        (f"0 {10**16}\n", "line 1: give two nodes"),
        ("0 5\n", "node 5 is beyond the last one"),
    ],
)
def test_a_file_that_is_no_edge_list_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "edges.txt"
    file.write_text(text)
    with pytest.raises(DataError, match=message):
        from_file(file, nodes=5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ring(10, 3), "'ring': links must be even, not 3"),
        (lambda: ring(10, 10), r"links must lie in 2\.\.9 for 10 nodes, not 10"),
        (lambda: complete(10_000), "'complete': 10000 nodes have more than"),
        (lambda: small_world(10, 4, 1.5, DRAWS), r"rewired must lie in 0\.\.1, not 1.5"),
        (lambda: scale_free(10, 0, DRAWS), r"'scale_free': links must lie in 1\.\.9"),
        (lambda: random_regular(9, 3, DRAWS), "make one of them even"),
        (lambda: clusters(10, 6, 2, 1, DRAWS), r"count must lie in 1\.\.5"),
        (lambda: clusters(10, 2, 2, -1, DRAWS), "bridges must not be negative"),
        (lambda: geographic(np.zeros((4, 2)), 4, DRAWS), r"'geographic': links must lie in 1\.\.3"),
    ],
)
def test_graphs_that_cannot_be_are_refused(make: Callable[[], Topology], message: str) -> None:
    with pytest.raises(ScenarioError, match=message):
        make()


def test_wrong_arrays_are_mistakes() -> None:
    with pytest.raises(ValueError, match="finite"):
        nearest([[0.0, np.nan], [1.0, 2.0]], 1, DRAWS)
    with pytest.raises(ValueError, match="k must lie in"):
        nearest([[0.0], [1.0]], 2, DRAWS)
    with pytest.raises(ValueError, match="edges must lead"):
        from_edges(3, [[0, 3]])
    with pytest.raises(ValueError, match="costs must be"):
        from_edges(3, [[0, 1]], [-1])


@pytest.mark.slow
def test_a_cohort_of_100000_is_linked_in_seconds() -> None:
    count = 100_000
    makers: dict[str, Callable[[], Topology]] = {
        "scale_free": lambda: scale_free(count, 4, DRAWS),
        "random_regular": lambda: random_regular(count, 8, DRAWS),
        "clusters": lambda: clusters(count, 300, 8, 8, DRAWS)[0],
        "geographic": lambda: geographic(1000 * points(count, 2), 8, DRAWS),
    }
    for name, make in makers.items():
        start = time.process_time()
        made = make()
        assert made.of(count - 1).size >= 2
        spent_s = time.process_time() - start
        assert spent_s < 30, f"{name}: {spent_s:.0f} s"
