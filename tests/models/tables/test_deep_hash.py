"""Deep hash tables: no bytes for an id, a vector for every one, no two codes alike."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.deep_hash import METHOD, PRIME, DeepHashTable, hashes_of
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "deep hash")


class TestDeepHash(EmbeddingTableContract):
    table = DeepHashTable(40, 6, 16, 8, 2)
    packed_bytes = 4 * (17 * 8 + 9 * 8 + 9 * 6)


class TestOneLayer(EmbeddingTableContract):
    table = DeepHashTable(41, 5, 9, 7, 1, name="place")
    packed_bytes = 4 * (10 * 7 + 8 * 5)


def test_its_bytes_do_not_depend_on_how_many_ids_there_are() -> None:
    sizes = {DeepHashTable(n, 64).nbytes for n in (1, 3706, 10_000_000)}
    assert sizes == {4 * (1025 * 32 + 33 * 32 + 33 * 64)}


def test_an_id_that_nobody_has_seen_has_a_vector_and_changes_no_other() -> None:
    small, large = DeepHashTable(40, 6, 16, 8), DeepHashTable(4000, 6, 16, 8)
    params = small.init(DRAWS)
    vectors = every_vector(large, params)
    assert np.isfinite(vectors).all()
    np.testing.assert_array_equal(vectors[:40], every_vector(small, params))
    assert len(np.unique(vectors, axis=0)) == 4000


def test_no_two_ids_share_a_code() -> None:
    """Each hash alone tells them apart, in float32 too, up to as many ids as are allowed."""
    high = np.concatenate([np.arange(100_000), PRIME - 1 - np.arange(100_000)])
    codes = hashes_of(high, 2)
    assert codes.dtype == np.float32
    assert np.abs(codes).max() <= 1
    for column in codes.T:
        assert len(np.unique(column)) == len(high)
    every = np.arange(-(PRIME // 2), PRIME // 2 + 1).astype(np.float32) / np.float32(PRIME // 2)
    assert (np.diff(every) > 0).all()
    with pytest.raises(ValueError, match="different codes"):
        DeepHashTable(PRIME + 1, 4)


def test_codes_are_spread_evenly_and_hashes_are_not_alike() -> None:
    codes = hashes_of(np.arange(4000), 8).astype(np.float64)
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(codes.std(axis=0), 1 / np.sqrt(3), rtol=0.1)
    assert np.abs(np.corrcoef(codes.T) - np.eye(8)).max() < 0.2


def test_first_vectors_have_the_deviation_that_was_asked_for() -> None:
    table = DeepHashTable(2000, 32, 256, 64, sd=0.1)
    assert every_vector(table, table.init(DRAWS)).std() == pytest.approx(0.1, rel=0.15)


def test_the_default_has_the_hashes_of_the_paper() -> None:
    assert find("table", "deep-hash") is METHOD
    table = METHOD.build(METHOD.section(), 100, 8, sd=0.1)
    assert table.hashes == 1024
    with pytest.raises(ValueError, match="no vectors of 0"):
        DeepHashTable(3, 0)


def test_ids_that_repeat_are_computed_once_and_are_alike() -> None:
    table = TestDeepHash.table
    params = table.init(DRAWS)
    vectors = table.lookup(params, torch.tensor([[3, 3], [0, 3]]))
    assert torch.equal(vectors[0, 0], vectors[1, 1])
    assert not torch.equal(vectors[0, 0], vectors[1, 0])
