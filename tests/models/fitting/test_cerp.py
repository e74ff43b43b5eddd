"""CERP: exactly the share is kept, patterns complement each other, one codebook is PEP."""

import numpy as np
import torch

from droidloop.models.fitting.cerp import Pruning, cerp, overlap
from droidloop.models.fitting.fit import Hyperparameters
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.sparse_rows import sizes
from droidloop.platform.draws import Draws
from tests.contracts.tiny import equal_data

DRAWS = Draws(7, "cerp")
N_USERS, N_ITEMS, DIM = 20, 30, 8
DATA = equal_data(DRAWS, N_USERS, N_ITEMS, 6)
SEARCH = Hyperparameters(epochs=12, lr=0.05, batch=32, negatives=4)
CHOSEN = Hyperparameters(epochs=4, lr=0.05, batch=32, negatives=4)
FIRST = MF(N_ITEMS, DIM)


def test_rows_with_numbers_in_other_places_do_not_overlap() -> None:
    one = torch.tensor([[1.0, 0.0, -2.0, 0.0], [0.0, 3.0, 0.0, 0.0]])
    assert overlap(one).item() == 0
    assert overlap(one[[0, 0]]).item() == 0.5


def test_exactly_the_share_is_kept_and_bytes_hold_its_indexes() -> None:
    table, params = cerp(FIRST, DATA, CHOSEN, Pruning(6, 0.25, SEARCH), draws=DRAWS)
    assert table.there is not None
    assert int(table.there.sum()) == 24 == 12 * DIM // 4
    assert table.nbytes == min(sizes(12, DIM, 24).values())
    assert not params["item"].numpy()[~table.there].any()
    assert params["item"].numpy()[table.there].all()


def test_the_regulariser_leaves_less_overlap() -> None:
    found = []
    for weight in (0.0, 30.0):
        table, _ = cerp(FIRST, DATA, CHOSEN, Pruning(6, 0.4, SEARCH, weight=weight), draws=DRAWS)
        assert table.there is not None
        [rows] = table.rows_of(np.arange(N_ITEMS)).values()
        found.append(int(table.there[rows].all(axis=1).sum()))
    assert found[1] < found[0]


def test_one_codebook_with_a_row_for_each_item_is_pruned_by_its_thresholds() -> None:
    table, params = cerp(FIRST, DATA, CHOSEN, Pruning(N_ITEMS, 0.1, SEARCH, books=1), draws=DRAWS)
    assert params["item"].shape == (N_ITEMS, DIM)
    assert int((params["item"] != 0).sum()) == int(0.1 * N_ITEMS * DIM)
    assert table.nbytes == min(sizes(N_ITEMS, DIM, 24).values())
