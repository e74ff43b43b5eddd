"""LEGCF: the closed form is that of least squares, rows keep their entries, graphs their nodes."""

from itertools import pairwise

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.fitting.fit import Hyperparameters
from droidloop.models.fitting.legcf import (
    Assigning,
    assignment,
    closed_form,
    entries_of,
    legcf,
    with_centers,
)
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.draws import Draws
from tests.contracts.tiny import equal_data

DRAWS = Draws(7, "legcf")
N_USERS, N_ITEMS, DIM = 20, 30, 6
DATA = equal_data(DRAWS, N_USERS, N_ITEMS, 6)
SEARCH = Hyperparameters(epochs=3, lr=0.05, batch=64, negatives=1)
SETTING = Assigning(10, SEARCH)


def vectors(purpose: str, rows: int):  # type: ignore[no-untyped-def]
    return DRAWS.child(purpose).normal(np.arange(rows)[:, None], np.arange(DIM))


def test_the_closed_form_is_the_answer_of_least_squares() -> None:
    full = vectors("full", 30)
    for count in (4, 6, 10):
        centers = vectors("centers", count)
        expected = np.linalg.lstsq(centers.T, full.T, rcond=None)[0].T
        np.testing.assert_allclose(closed_form(full, centers), expected, atol=1e-9)


def test_every_row_keeps_its_entries_and_vectors_that_are_such_sums_are_found() -> None:
    centers = np.eye(DIM)
    full = np.zeros((3, DIM))
    full[0, [1, 4]], full[1, [0, 2]], full[2, [5, 3]] = (2.0, 1.0), (0.5, 3.0), (1.0, 4.0)
    rows, weights = entries_of(full, centers, 2)
    assert rows.shape == (3, 2)
    made = np.einsum("ne,ned->nd", weights, centers[rows])
    np.testing.assert_allclose(made, full, atol=1e-4)


def test_the_fitted_weights_tell_more_than_those_of_the_closed_form() -> None:
    full, centers = vectors("full", 30), vectors("centers", 10)
    rows, weights = entries_of(full, centers, 2)
    cut = np.take_along_axis(closed_form(full, centers), rows, axis=1)
    errors = [
        np.square(full - np.einsum("ne,ned->nd", one, centers[rows])).sum()
        for one in (weights, cut)
    ]
    assert errors[0] < errors[1]


def test_the_graph_links_each_item_to_its_users_and_to_its_rows() -> None:
    train = UserItems.bare(np.array([0, 2, 2]), np.array([0, 2, 3]))
    graph = with_centers(train, np.array([[0, 2], [2, 0], [1, 0]]), 3, 3)
    ends = [graph.items[a:b].tolist() for a, b in pairwise(graph.item_offsets)]
    assert ends == [[0, 2], [2], [0, 1, 2], [2], [0, 1]]


def test_what_is_found_has_the_bytes_of_its_formula_and_the_same_draws_find_it_again() -> None:
    table, values = assignment(DATA, N_ITEMS, DIM, SETTING, DRAWS)
    again, others = assignment(DATA, N_ITEMS, DIM, SETTING, DRAWS)
    np.testing.assert_array_equal(table.rows, again.rows)
    np.testing.assert_array_equal(values["item"].numpy(), others["item"].numpy())
    assert table.nbytes == 4 * 10 * DIM + 4 * N_ITEMS * 2 + -(-N_ITEMS * 2 * 4 // 8)


def test_training_goes_on_from_the_assignment_and_keeps_the_best_epoch() -> None:
    seen = []

    def judge(table, params) -> float:  # type: ignore[no-untyped-def]
        scores = params["user"].numpy() @ every_vector(table, params).T
        owners = np.repeat(np.arange(N_USERS), DATA.counts)
        seen.append(float((scores[owners, DATA.items] - scores.mean(axis=1)[owners]).mean()))
        return seen[-1]

    chosen = Hyperparameters(epochs=3, lr=0.02, batch=64, negatives=2)
    table, params = legcf(MF(N_ITEMS, DIM), DATA, chosen, SETTING, draws=DRAWS, validate=judge)
    assert judge(table, params) == max(seen)
    assert len(seen) == 4
