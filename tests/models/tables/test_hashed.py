"""The hashing trick: how many ids share a row, what that costs, and what it is not."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.hashed import METHOD, HashedSection, HashedTable
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract


class TestHashedTable(EmbeddingTableContract):
    table = HashedTable(40, 24, 7)
    packed_bytes = 7 * 24 * 4


class TestAsManyBucketsAsIds(EmbeddingTableContract):
    table = HashedTable(5, 3, 5, name="place", sd=1.0)
    packed_bytes = 5 * 3 * 4


@pytest.mark.parametrize(("n", "buckets"), [(3706, 122), (3706, 61), (10, 10), (7, 3)])
def test_every_bucket_is_shared_by_as_many_ids_as_can_be(n: int, buckets: int) -> None:
    """S23: n ids on m rows leave n - m ids without a row of their own, spread evenly."""
    [rows] = HashedTable(n, 2, buckets).rows_of(np.arange(n)).values()
    counts = np.bincount(rows, minlength=buckets)
    assert (counts - 1).sum() == n - buckets
    assert counts.max() - counts.min() <= 1


def test_ids_that_share_a_row_have_one_vector_and_others_do_not() -> None:
    table = HashedTable(10, 4, 3)
    vectors = table.lookup(table.init(Draws(1, "t")), torch.arange(10))
    assert torch.equal(vectors[1], vectors[7])
    assert not torch.equal(vectors[1], vectors[2])


@pytest.mark.parametrize(("n", "dim", "buckets"), [(3, 2, 4), (3, 2, 0), (3, 0, 2)])
def test_impossible_tables_are_refused(n: int, dim: int, buckets: int) -> None:
    with pytest.raises(ValueError, match="no 3 ids share"):
        HashedTable(n, dim, buckets)


def test_a_scenario_finds_it_by_name_and_may_leave_the_buckets_out() -> None:
    method = find("table", "hashed")
    assert method is METHOD
    assert method.build(method.section(), 101, 4, sd=0.1).buckets == 26
    assert method.build(HashedSection(buckets=9), 101, 4, sd=0.1).buckets == 9
    assert method.build(HashedSection(buckets=900), 101, 4, sd=0.1).buckets == 101
