"""The mixed-size table: each block has its width, and the numbers that its formula says."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.mixed import MixedTable
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(8, "mixed")
BLOCK = np.arange(20) * 7 % 3


class TestThreeBlocks(EmbeddingTableContract):
    table = MixedTable.of(BLOCK, (8, 4, 1), 8)
    packed_bytes = 4 * (7 * 8 + 7 * 4 + 6 * 1 + 4 * 8 + 1 * 8) + 20


class TestOneNarrowBlock(EmbeddingTableContract):
    table = MixedTable.of(np.zeros(6, np.int64), (3,), 8)
    packed_bytes = 4 * (6 * 3 + 3 * 8)


class TestUniform(EmbeddingTableContract):
    table = MixedTable.of(BLOCK, (8, 8, 8), 8)
    packed_bytes = 4 * 20 * 8


def test_one_block_of_full_width_is_the_dense_table() -> None:
    table, dense = MixedTable.of(BLOCK, (8, 8, 8), 8), DenseTable(20, 8)
    assert [one.shape for one in table.parameters.values()] == [(20, 8)]
    [values] = table.init(DRAWS).values()
    ids = torch.arange(20)
    assert torch.equal(table.lookup({"item_0": values}, ids), dense.lookup({"item": values}, ids))


def test_an_id_has_the_numbers_of_its_block_through_the_map_of_its_block() -> None:
    table = MixedTable.of(BLOCK, (8, 4, 1), 8)
    params = table.init(DRAWS)
    vectors = table.lookup(params, torch.arange(20))
    assert table.sizes.tolist() == [(8, 4, 1)[block] for block in BLOCK]
    for number in range(3):
        ids = np.flatnonzero(number == BLOCK)
        rows = params[f"item_{number}"][1:]
        expected = rows if number == 0 else rows @ params[f"item_{number}_map"]
        torch.testing.assert_close(vectors[torch.from_numpy(ids)], expected)


def test_the_row_of_the_others_is_0_and_no_gradient_moves_it() -> None:
    table = MixedTable.of(BLOCK, (8, 4, 1), 8)
    params = {name: value.requires_grad_() for name, value in table.init(DRAWS).items()}
    table.lookup(params, torch.arange(20)).square().sum().backward()  # type: ignore[no-untyped-call]
    for number in range(3):
        slope = params[f"item_{number}"].grad
        assert slope is not None
        assert not slope[0].any()
        assert slope[1:].any(dim=1).all()


def test_training_multiplies_matrices_to_the_same_vectors() -> None:
    table = MixedTable.of(BLOCK, (8, 4, 1), 8)
    params = table.init(DRAWS)
    leaves = {name: value.clone().requires_grad_() for name, value in params.items()}
    stacked = {name: torch.stack([value, value]) for name, value in leaves.items()}
    ids = torch.arange(20).reshape(4, 5)
    expected = table.lookup(params, ids)
    torch.testing.assert_close(table.lookup(leaves, ids).detach(), expected)
    both = table.lookup(stacked, torch.stack([ids, ids]))
    torch.testing.assert_close(both[1].detach(), expected)


def test_blocks_of_one_width_are_one_and_other_blocks_are_refused() -> None:
    table = MixedTable.sized(np.array([4, 2, 2, 8, 4]), 8)
    assert table.widths == (8, 4, 2)
    assert table.sizes.tolist() == [4, 2, 2, 8, 4]
    other = MixedTable.sized(np.array([4, 2, 8, 2, 4]), 8)
    with pytest.raises(PackageError, match="blocks"):
        other.unpack(table.pack(table.init(DRAWS)))
    with pytest.raises(ValueError, match="widths"):
        MixedTable.of(BLOCK, (9, 1, 1), 8)
    with pytest.raises(ValueError, match="blocks"):
        MixedTable(2, 8, (4, 2), np.array([0, 0]))
