"""Assigned tables: weighted sums of few rows, whose numbers ship in as few bits as they need."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.assigned import METHOD, AssignedSection, AssignedTable, drawn_rows
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "assigned")
ROWS = drawn_rows(41, 9, 2, DRAWS)


class TestTwoEntries(EmbeddingTableContract):
    table = AssignedTable(41, 6, 9, ROWS, name="place")
    packed_bytes = 4 * 9 * 6 + 4 * 41 * 2 + 41  # 82 row numbers of 4 bits


class TestOneEntry(EmbeddingTableContract):
    table = AssignedTable(40, 5, 2, np.arange(40)[:, None] % 2)
    packed_bytes = 4 * 2 * 5 + 4 * 40 + 5


def test_a_vector_is_the_weighted_sum_of_its_rows() -> None:
    table = TestTwoEntries.table
    params = table.init(DRAWS)
    params["place_weights"] = torch.rand(41, 2, generator=torch.Generator().manual_seed(1))
    assigned = torch.zeros(41, 9).scatter_add(1, torch.from_numpy(ROWS), params["place_weights"])
    found = table.lookup(params, torch.arange(41))
    torch.testing.assert_close(found, assigned @ params["place"])


def test_rows_that_are_drawn_are_different_ones_and_spread_evenly() -> None:
    rows = drawn_rows(2000, 10, 3, DRAWS)
    assert all(len(set(row)) == 3 for row in rows.tolist())
    counts = np.bincount(rows.ravel(), minlength=10)
    assert np.abs(counts - 600).max() < 5 * np.sqrt(600)


def test_it_is_built_by_its_keys_and_refuses_what_cannot_be() -> None:
    assert find("table", "assigned") is METHOD
    built = METHOD.build(AssignedSection(), 100, 8, sd=0.1)
    assert (built.centers, built.entries) == (13, 2)
    with pytest.raises(ValueError, match="row 9 where there are 5"):
        AssignedTable(1, 2, 5, np.array([[9]]))
    with pytest.raises(ValueError, match="shape"):
        AssignedTable(3, 2, 5, np.zeros((2, 1), np.int64))
    with pytest.raises(ValueError, match="centers"):
        AssignedTable(1, 2, 40_000, np.zeros((1, 1), np.int64))


def test_rows_that_were_packed_are_refused_by_others() -> None:
    table = TestTwoEntries.table
    other = AssignedTable(41, 6, 9, ROWS[:, ::-1].copy(), name="place")
    with pytest.raises(PackageError, match="others"):
        other.unpack(table.pack(table.init(DRAWS)))
