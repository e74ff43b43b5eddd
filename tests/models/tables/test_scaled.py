"""The scaled table: with factors of 1 it is the dense one; a factor of 0 takes a dimension out."""

import torch

from droidloop.models.tables.scaled import ScaledTable
from droidloop.platform.draws import Draws
from tests.contracts.embedding_table import EmbeddingTableContract


class TestScaled(EmbeddingTableContract):
    table = ScaledTable(9, 4)
    packed_bytes = 4 * 10 * 4


def test_a_factor_of_0_takes_a_dimension_out() -> None:
    table = ScaledTable(9, 4)
    params = table.init(Draws(1, "scaled"))
    assert torch.equal(table.lookup(params, torch.arange(9)), params["item"])
    params["item_mask"][2] = 0
    assert not table.lookup(params, torch.arange(9))[:, 2].any()
