"""Codebooks: no two ids read the same rows, masks ship with their indexes, thresholds shrink."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.codebooks import (
    METHOD,
    CodebooksSection,
    CodebooksTable,
    SoftCodebooksTable,
)
from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.sparse_rows import sizes
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError, ScenarioError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "codebooks")
MASK = DRAWS.uniform(np.arange(14)[:, None], np.arange(6)) < 0.3


class TestTwoBooks(EmbeddingTableContract):
    table = CodebooksTable(40, 6, 7)
    packed_bytes = 4 * 14 * 6


class TestThreeBooks(EmbeddingTableContract):
    table = CodebooksTable(41, 5, 4, 3, name="place")
    packed_bytes = 4 * 12 * 5


class TestMasked(EmbeddingTableContract):
    table = CodebooksTable(40, 6, 7, there=MASK)
    packed_bytes = min(sizes(14, 6, int(MASK.sum())).values())

    def test_packing_a_number_that_is_not_finite_is_refused(self) -> None:
        params = {"item": self.params["item"].fill_(float("nan"))}
        with pytest.raises(PackageError, match="NaN"):
            self.table.pack(params)


class TestSoft(EmbeddingTableContract):
    table = SoftCodebooksTable(40, 6, 7)
    packed_bytes = 2 * 4 * 14 * 6


@pytest.mark.parametrize(
    ("n", "buckets", "books"), [(3706, 61, 2), (3706, 200, 2), (3706, 3706, 1), (3706, 16, 3)]
)
def test_no_two_ids_read_the_same_rows(n: int, buckets: int, books: int) -> None:
    table = CodebooksTable(n, 2, buckets, books)
    [rows] = table.rows_of(np.arange(n)).values()
    assert len(np.unique(rows, axis=0)) == n
    assert len(np.unique(rows)) > 0.95 * books * buckets


def test_two_codebooks_have_the_indexes_of_the_paper() -> None:
    [rows] = CodebooksTable(3706, 2, 200).rows_of(np.arange(3706)).values()
    every = np.arange(3706)
    np.testing.assert_array_equal(rows, np.stack([every % 200, 200 + every // 19], axis=1))


def test_codebooks_that_do_not_tell_all_items_apart_are_refused() -> None:
    """N' = 120 rows in 2 codebooks: 60 x 60 = 3,600 pairs for 3,706 items."""
    with pytest.raises(ValueError, match="3600 ids apart, not 3706"):
        CodebooksTable(3706, 64, 60)
    with pytest.raises(ScenarioError, match=r"buckets = 60.*set buckets = 61"):
        METHOD.build(CodebooksSection(buckets=60), 3706, 64, sd=0.1)
    assert find("table", "codebooks") is METHOD
    for n in (1, 2, 3721, 3722):
        built = METHOD.build(CodebooksSection(), n, 8, sd=0.1)
        assert (built.buckets - 1) ** 2 < n <= built.buckets**2


def test_what_the_mask_leaves_out_is_0_whatever_the_parameters_say() -> None:
    table = TestMasked.table
    full = {"item": torch.ones(14, 6)}
    found, there = every_vector(table, full), MASK.astype(np.float32)
    np.testing.assert_array_equal(found, there[np.arange(40) % 7] + there[7 + np.arange(40) // 6])
    full["item"].requires_grad_()
    table.lookup(full, torch.arange(40)).sum().backward()  # type: ignore[no-untyped-call]
    assert full["item"].grad is not None
    np.testing.assert_array_equal(full["item"].grad.numpy() != 0, MASK)


def test_a_packed_mask_is_refused_by_another() -> None:
    table = TestMasked.table
    other = CodebooksTable(40, 6, 7, there=np.roll(MASK, 1, axis=0))
    packed = table.pack({"item": torch.ones(14, 6)})
    with pytest.raises(PackageError, match="another"):
        other.unpack(packed)


def test_thresholds_cut_small_numbers_and_shrink_the_others() -> None:
    table = SoftCodebooksTable(40, 6, 7, first=-2.0)
    params, cut = table.init(DRAWS), float(torch.sigmoid(torch.tensor(-2.0)))
    rows = table.softened(params, np.arange(40))
    expected = np.abs(params["item"].numpy()[table.rows_of(np.arange(40))["item"]]) - cut
    np.testing.assert_allclose(np.abs(rows.numpy()), np.maximum(expected, 0), atol=1e-6)
    assert ((table.margins(params) > 0) == (params["item"].abs() > cut).numpy()).all()


def test_impossible_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="no 3 vectors"):
        CodebooksTable(3, 2, 2, 0)
    with pytest.raises(ValueError, match="mask"):
        CodebooksTable(3, 2, 2, there=MASK)


def test_ids_without_a_number_are_counted() -> None:
    there = np.zeros((14, 6), np.bool_)
    there[3, 2] = there[7 + 5, 0] = True
    table = CodebooksTable(40, 6, 7, there=there)
    vectors = every_vector(table, {"item": torch.ones(14, 6)})
    assert table.empty == (vectors == 0).all(axis=1).sum() == 40 - 6 - 6 + 1
