"""The pruned table: exactly its share ships, the largest numbers, in the smallest form."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.pruned import METHOD, PrunedTable, slices_of
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(8, "pruned")


class TestWhole(EmbeddingTableContract):
    table = PrunedTable(40, 24, 1.0)
    packed_bytes = 40 * 24 * 4


@pytest.mark.parametrize(("share", "form"), [(0.001, 1), (0.02, 2), (0.25, 3), (0.99, 0)])
def test_exactly_the_share_ships_and_the_file_says_how(share: float, form: int) -> None:
    table = PrunedTable(2000, 64, share)
    params = table.init(DRAWS)
    data = table.pack(params)
    assert data[:4] == f"prn{form}".encode()
    assert len(data) == 12 + table.nbytes
    [back] = table.unpack(data).values()
    assert np.count_nonzero(back.numpy()) == table.kept == int(share * 2000 * 64)


def test_what_ships_is_not_smaller_than_what_does_not() -> None:
    table = PrunedTable(50, 8, 0.3)
    params = table.init(DRAWS)
    values, back = params["item"].numpy(), table.unpack(table.pack(params))["item"].numpy()
    there = back != 0
    np.testing.assert_array_equal(back[there], values[there])
    assert np.abs(values[there]).min() >= np.abs(values[~there]).max()


def test_it_shares_the_memory_and_the_training_of_a_dense_table() -> None:
    table = PrunedTable(50, 8, 0.3)
    params = table.init(DRAWS)
    np.testing.assert_array_equal(every_vector(table, params), params["item"].numpy())
    assert table.cost(100).ram_bytes >= 50 * 8 * 4


def test_slices_hold_every_number_once_and_little_else() -> None:
    table = PrunedTable(300, 32, 0.2)
    values = table.init(DRAWS)["item"].numpy()
    kept = table.mask(values)
    constants = slices_of(values, kept)
    numbers = [array for name, array in constants.items() if name.startswith("values")]
    found = np.concatenate([array.ravel() for array in numbers])
    np.testing.assert_array_equal(np.sort(found[found != 0]), np.sort(values[kept]))
    assert len(found) < 1.2 * table.kept + 300
    assert sum(array.nbytes for array in constants.values()) < 2 * table.nbytes


def test_rows_of_which_nothing_is_kept_score_zero() -> None:
    from droidloop.models.tables.pruned import SliceScorer

    values = np.zeros((4, 6), np.float32)
    values[1, 2], values[3, :5] = 2.0, 1.0
    constants = slices_of(values, values != 0)
    module = SliceScorer(**{name: torch.from_numpy(array) for name, array in constants.items()})
    user = torch.arange(6.0)[None]
    torch.testing.assert_close(module(user)["scores"], user @ torch.from_numpy(values).T)


def test_it_is_found_by_its_name() -> None:
    assert find("table", "pruned") is METHOD
