"""Quotient-remainder tables: no two ids alike, the bytes of the paper's formula, first numbers."""

import math

import numpy as np
import pytest
import torch

from droidloop.models.tables.quotient_remainder import METHOD, Operation, QuotientRemainderTable
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract


class TestMultiply(EmbeddingTableContract):
    table = QuotientRemainderTable(40, 24, 7)
    packed_bytes = (7 + 6) * 24 * 4


class TestAdd(EmbeddingTableContract):
    table = QuotientRemainderTable(40, 24, 8, "add", name="place")
    packed_bytes = (8 + 5) * 24 * 4


class TestConcat(EmbeddingTableContract):
    table = QuotientRemainderTable(41, 5, 7, "concat")
    packed_bytes = (7 * 2 + 6 * 3) * 4


def test_the_item_table_of_movielens_1m_packs_into_31232_bytes_and_a_header() -> None:
    """methods.md B4: m = 61, 61 + 61 rows."""
    table = QuotientRemainderTable(3706, 64, 61)
    assert table.quotients == 61
    assert table.nbytes == 31_232
    assert len(table.pack(table.init(Draws(1, "t")))) == 31_232 + 12


@pytest.mark.parametrize(("n", "remainders"), [(3706, 61), (3706, 1), (3706, 3706), (10, 4)])
def test_no_two_ids_have_the_same_pair_of_rows(n: int, remainders: int) -> None:
    table = QuotientRemainderTable(n, 2, remainders)
    pairs = np.stack(list(table.rows_of(np.arange(n)).values()), axis=1)
    assert len(np.unique(pairs, axis=0)) == n


def test_nearly_all_rows_of_the_default_are_used_and_none_takes_fewer_bytes() -> None:
    method = find("table", "quotient-remainder")
    assert method is METHOD
    for n in (1, 2, 9, 10, 1000, 3706):
        best = min(m + -(-n // m) for m in range(1, n + 1))
        table = method.build(method.section(), n, 1, sd=0.1)
        assert table.nbytes == 4 * best


@pytest.mark.parametrize("operation", ["multiply", "add", "concat"])
def test_the_numbers_of_first_vectors_have_the_deviation_that_was_asked_for(
    operation: Operation,
) -> None:
    table = QuotientRemainderTable(40_000, 32, 200, operation, sd=0.1)
    vectors = table.lookup(table.init(Draws(1, "t")), torch.arange(40_000))
    # 200 rows of each kind are behind them: 2 x 200 x 32 numbers, of a product more spread
    assert vectors.std().item() == pytest.approx(0.1, rel=4 / math.sqrt(200 * 32))


def test_a_number_that_is_packed_for_another_operation_is_refused() -> None:
    product, total = (QuotientRemainderTable(9, 2, 3, op) for op in ("multiply", "add"))
    packed = product.pack(product.init(Draws(1, "t")))
    with pytest.raises(PackageError, match="pack it again"):
        total.unpack(packed)


@pytest.mark.parametrize(("n", "dim", "remainders"), [(3, 2, 4), (3, 2, 0), (3, 0, 2)])
def test_impossible_tables_are_refused(n: int, dim: int, remainders: int) -> None:
    with pytest.raises(ValueError, match="no 3 vectors"):
        QuotientRemainderTable(n, dim, remainders)


def test_an_operation_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="'divide'"):
        QuotientRemainderTable(9, 2, 3, "divide")  # type: ignore[arg-type]
