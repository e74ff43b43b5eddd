"""Shards cover the rows, in order, whatever their number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.platform.shards import SHARD_ROWS, shards


@given(st.integers(0, 300), st.integers(1, 50))
def test_shards_cover_every_row_once_and_in_order(count: int, size: int) -> None:
    rows = list(range(count))
    pieces = [rows[shard] for shard in shards(count, size)]
    assert [row for piece in pieces for row in piece] == rows
    assert all(len(piece) == size for piece in pieces[:-1])
    assert all(pieces)


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (4096, 1), (4097, 2)])
def test_a_shard_holds_4096_rows(count: int, expected: int) -> None:
    """Sums of floats depend on it: results would change with it."""
    assert SHARD_ROWS == 4096
    assert len(list(shards(count))) == expected
