import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.ego_graphs import EgoGraphs, Neighbours, ego_graphs, ego_vectors
from droidloop.models.graphs.propagation import Bipartite, propagate
from droidloop.models.recommenders.lightgcn import LightGCN
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from tests.contracts.tiny import tiny_data

DRAWS = Draws(37, "ego")
N_USERS, N_ITEMS, DIM = 14, 18, 6
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS, 6)
GRAPH = Bipartite.of(DATA, N_ITEMS)
DEGREES = np.diff(GRAPH.user_offsets)


def vectors(purpose: str, n: int) -> Array:
    return DRAWS.child(purpose).normal(np.arange(n)[:, None], np.arange(DIM)).astype(np.float32)


USER, ITEM = vectors("user", N_USERS), vectors("item", N_ITEMS)


def everybody_near(phones: IntArray) -> Neighbours:
    """All users with a common item, with those items, as a server that matches items finds."""
    found = [
        (v, np.intersect1d(DATA.of(v), DATA.of(int(phone))))
        for phone in phones
        for v in range(N_USERS)
        if v != phone
    ]
    counts = np.array([len(common) > 0 for _, common in found]).reshape(len(phones), -1).sum(1)
    found = [(v, common) for v, common in found if len(common)]
    shared = [common for _, common in found]
    return Neighbours(
        np.concatenate([[0], np.cumsum(counts)]),
        UserItems.bare(
            np.concatenate([np.empty(0, np.int64), *shared]),
            np.concatenate([[0], np.cumsum([len(common) for common in shared])]).astype(np.int64),
        ),
        USER[[v for v, _ in found]],
        DATA.counts[[v for v, _ in found]],
    )


def propagated(phones: IntArray, neighbours: Neighbours, layers: int) -> tuple[EgoGraphs, Array]:
    ego = ego_graphs(DATA.take(phones), neighbours, degrees=DEGREES)
    users = ego.users(USER[phones], neighbours)
    return ego, propagate(ego.graph, users, ITEM[ego.ids], layers)[0][ego.own]


def test_two_hops_with_all_neighbours_are_those_of_the_whole_graph() -> None:
    phones = np.arange(N_USERS)
    _, own = propagated(phones, everybody_near(phones), 2)
    expected, _ = propagate(GRAPH, USER, ITEM, 2)
    np.testing.assert_allclose(own, expected, atol=1e-6)


def test_without_neighbours_it_is_less_than_the_whole_graph() -> None:
    phones = np.arange(N_USERS)
    _, own = propagated(phones, Neighbours.none(N_USERS, DIM), 2)
    expected, _ = propagate(GRAPH, USER, ITEM, 2)
    assert np.abs(own - expected).max() > 0.01


def test_a_cohort_equals_its_phones_one_by_one_bit_for_bit() -> None:
    phones = np.array([3, 0, 9, 5])
    ego, together = propagated(phones, everybody_near(phones), 3)
    for k, phone in enumerate(phones):
        alone, own = propagated(np.array([phone]), everybody_near(np.array([phone])), 3)
        assert own.tobytes() == together[k : k + 1].tobytes()
        mine = ego.ids[ego.item_offsets[k] : ego.item_offsets[k + 1]]
        np.testing.assert_array_equal(alone.ids, mine)


def test_a_recommender_on_ego_graphs_is_lightgcn() -> None:
    phones = np.array([3, 0, 9])
    none = Neighbours.none(3, DIM)
    every = np.tile(np.arange(N_ITEMS), 3), np.arange(4) * N_ITEMS
    ego = ego_graphs(DATA.take(phones), none, every)
    gcn = LightGCN(ego.graph, DIM, 1)
    params = {
        "user": torch.from_numpy(ego.users(USER[phones], none)),
        "item": torch.from_numpy(ITEM[ego.ids]),
    }
    slots = torch.from_numpy(np.arange(3 * N_ITEMS).reshape(3, N_ITEMS))
    scores = gcn.score(params, torch.from_numpy(ego.own)[:, None], slots).numpy()
    user, table = ego_vectors(DATA.take(phones), USER[phones], ITEM, 1)
    for k, phone in enumerate(phones):
        unseen = np.setdiff1d(np.arange(N_ITEMS), DATA.of(int(phone)))
        np.testing.assert_allclose(scores[k, unseen], table[unseen] @ user[k], atol=1e-5)


def test_rows_that_lack_an_item_are_refused() -> None:
    some = np.array([3, 5]), np.array([0, 1, 2])
    with pytest.raises(ValueError, match="no row"):
        ego_graphs(DATA.take(np.array([1, 2])), Neighbours.none(2, DIM), some)
