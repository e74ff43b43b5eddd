import numpy as np
import pytest
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.graphs.propagation import Bipartite, propagate, propagate_in_torch
from droidloop.platform.draws import Draws
from tests.contracts.tiny import tiny_data

DRAWS = Draws(23, "propagation")
N_USERS, N_ITEMS, DIM = 150, 90, 8
DATA = tiny_data(DRAWS, N_USERS, N_ITEMS)
GRAPH = Bipartite.of(DATA, N_ITEMS)


def vectors(purpose: str, n: int) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return DRAWS.child(purpose).normal(np.arange(n)[:, None], np.arange(DIM)).astype(np.float32)


USER, ITEM = vectors("user", N_USERS), vectors("item", N_ITEMS)


def adjacency() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The normalised adjacency of all nodes, dense, as equation 8 of the paper has it."""
    has = np.zeros((N_USERS, N_ITEMS))
    has[np.repeat(np.arange(N_USERS), DATA.counts), DATA.items] = 1
    whole = np.block([[np.zeros((N_USERS, N_USERS)), has], [has.T, np.zeros((N_ITEMS, N_ITEMS))]])
    degree = whole.sum(1)
    half = np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
    matrix: np.ndarray[tuple[int, int], np.dtype[np.float64]] = half[:, None] * whole * half
    return matrix


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_it_is_the_mean_of_the_powers_of_the_adjacency(layers: int) -> None:
    assert (DATA.counts == 0).any()
    first = np.concatenate([USER, ITEM]).astype(np.float64)
    powers = [np.linalg.matrix_power(adjacency(), k) @ first for k in range(layers + 1)]
    expected = np.mean(powers, axis=0)
    user, item = propagate(GRAPH, USER, ITEM, layers)
    np.testing.assert_allclose(np.concatenate([user, item]), expected, atol=2e-6)


def test_no_layer_leaves_every_bit() -> None:
    user, item = propagate(GRAPH, USER, ITEM, 0)
    assert user.tobytes() == USER.tobytes()
    assert item.tobytes() == ITEM.tobytes()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    one, three = (propagate(GRAPH, USER, ITEM, 3, threads) for threads in (1, 3))
    assert all(a.tobytes() == b.tobytes() for a, b in zip(one, three, strict=True))


def test_the_operator_is_its_own_transpose() -> None:
    other = vectors("other user", N_USERS), vectors("other item", N_ITEMS)
    there, back = propagate(GRAPH, USER, ITEM, 3), propagate(GRAPH, *other, 3)
    left = sum(float((a * b).sum()) for a, b in zip(there, other, strict=True))
    right = sum(float((a * b).sum()) for a, b in zip(back, (USER, ITEM), strict=True))
    assert left == pytest.approx(right, rel=1e-5)


def test_the_slopes_are_those_of_the_dense_operator() -> None:
    user, item = torch.from_numpy(USER).requires_grad_(), torch.from_numpy(ITEM).requires_grad_()
    out = torch.cat(propagate_in_torch(GRAPH, user, item, 2))
    weight = torch.linspace(-1, 1, out.numel()).reshape(out.shape)
    slopes = torch.autograd.grad((out**2 * weight).sum(), [user, item])
    matrix = torch.from_numpy(adjacency())
    first = torch.cat([user, item]).detach().double().requires_grad_()
    dense = (first + matrix @ first + matrix @ (matrix @ first)) / 3
    [expected] = torch.autograd.grad((dense**2 * weight).sum(), [first])
    torch.testing.assert_close(torch.cat(slopes).double(), expected, atol=2e-5, rtol=1e-4)


def test_a_row_does_not_depend_on_the_rest_of_the_graph() -> None:
    some = np.array([7, 3])
    part = Bipartite.of(DATA.take(some), N_ITEMS, np.diff(GRAPH.user_offsets))
    user, _ = propagate(part, USER[some], ITEM, 1)
    every, _ = propagate(GRAPH, USER, ITEM, 1)
    assert user.tobytes() == every[some].tobytes()


def test_an_event_that_repeats_is_one_edge() -> None:
    twice = UserItems.bare(np.array([1, 0, 1]), np.array([0, 3]))
    assert Bipartite.of(twice, 2).items.tolist() == [0, 1]
    assert Bipartite.of(twice, 2).n_edges == 2


def test_what_does_not_fit_the_graph_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        Bipartite.of(DATA, 3)
    with pytest.raises(ValueError, match="vectors for a graph"):
        propagate(GRAPH, USER[1:], ITEM, 1)
