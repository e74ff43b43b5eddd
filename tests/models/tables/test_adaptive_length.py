"""The adaptive-length table: whole at first, then as long as its twin network says."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.adaptive_length import AdaptiveLengthTable
from droidloop.platform.draws import Draws
from tests.contracts.embedding_table import EmbeddingTableContract

TABLE = AdaptiveLengthTable(9, 4, np.linspace(0, 1, 9), hidden=3)


class TestAdaptiveLength(EmbeddingTableContract):
    table = TABLE
    packed_bytes = 4 * (9 * 5 + 2 * (4 * 3 + 3 * 4 + 4))


def test_fresh_it_leaves_every_number_as_it_is() -> None:
    params = TABLE.init(Draws(3, "t"))
    assert torch.equal(TABLE.lookup(params, torch.arange(9)), params["item"])
    assert TABLE.lengths(params).tolist() == [4] * 9


def test_a_length_keeps_the_first_numbers_and_frequency_mixes_the_branches() -> None:
    params = TABLE.init(Draws(3, "t"))
    params["item_low_first"] = torch.tensor([4.0, 0.0, 0.0, 0.0])
    lengths = TABLE.lengths(params)
    # 2 w against 4 (1 - w): longer above w = 2 / 3
    assert lengths.tolist() == [1] * 6 + [4] * 3
    vectors = TABLE.lookup(params, torch.arange(9))
    there = torch.arange(4) < torch.from_numpy(lengths)[:, None]
    assert torch.equal(vectors, params["item"] * there)


def test_the_expected_length_lies_between_one_and_all() -> None:
    params = TABLE.init(Draws(3, "t"))
    assert 1 < float(TABLE.expected(params)) < 4
    with pytest.raises(ValueError, match="frequencies"):
        AdaptiveLengthTable(9, 4, np.zeros(3))
