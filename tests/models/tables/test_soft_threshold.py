"""The soft-threshold table: numbers below their threshold are 0, and thresholds are trained."""

from typing import get_args

import pytest
import torch

from droidloop.models.tables.soft_threshold import METHOD, Grain, SoftThresholdTable, soften
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract


class TestEachNumber(EmbeddingTableContract):
    table = SoftThresholdTable(9, 4, first=-3.0)
    packed_bytes = 2 * 9 * 4 * 4


class TestEachItem(EmbeddingTableContract):
    table = SoftThresholdTable(9, 4, "feature", first=-3.0)
    packed_bytes = 9 * 5 * 4


class TestEachDimension(EmbeddingTableContract):
    table = SoftThresholdTable(9, 4, "dimension", first=-3.0)
    packed_bytes = 10 * 4 * 4


class TestOne(EmbeddingTableContract):
    table = SoftThresholdTable(9, 4, "table", first=-3.0)
    packed_bytes = (9 * 4 + 1) * 4


def test_what_is_less_than_the_sigmoid_is_0_and_the_rest_is_nearer_to_0_by_it() -> None:
    found = soften(torch.tensor([0.2, -0.2, 0.7, -0.9]), torch.zeros(1))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.0, 0.2, -0.4]))


@pytest.mark.parametrize("grain", get_args(Grain))
def test_a_threshold_that_is_raised_leaves_fewer_numbers(grain: Grain) -> None:
    table = SoftThresholdTable(50, 8, grain)
    params, left = table.init(Draws(1, "soft")), []
    for first in (-15.0, -3.0, -2.0, 0.0):
        params["item_threshold"].fill_(first)
        there = table.lookup(params, torch.arange(50)) != 0
        assert torch.equal(there, table.margins(params) > 0)
        left.append(int(there.sum()))
    assert left[0] == 400
    assert left == sorted(left, reverse=True)
    assert left[-1] < left[1] < 400


def test_thresholds_move_with_what_they_cut_off_the_loss() -> None:
    table = SoftThresholdTable(5, 3, "dimension", first=-3.0)
    params = {name: value.requires_grad_() for name, value in table.init(Draws(1, "s")).items()}
    table.lookup(params, torch.arange(5)).square().sum().backward()  # type: ignore[no-untyped-call]
    slope = params["item_threshold"].grad
    assert slope is not None
    assert (slope < 0).all()  # a larger threshold makes smaller squares


def test_it_is_found_by_its_name() -> None:
    assert find("table", "soft-threshold") is METHOD
