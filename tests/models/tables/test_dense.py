import numpy as np
import pytest
import torch

from droidloop.models.tables.dense import DenseTable
from droidloop.models.tables.float_rows import normal_rows
from droidloop.platform.draws import Draws
from tests.contracts.embedding_table import EmbeddingTableContract


class TestDenseTable(EmbeddingTableContract):
    table = DenseTable(40, 24)
    packed_bytes = 40 * 24 * 4


class TestNamedTable(EmbeddingTableContract):
    table = DenseTable(3, 200, name="place", sd=1.0)
    packed_bytes = 3 * 200 * 4


def test_the_item_table_of_movielens_1m_packs_into_948736_bytes_and_a_header() -> None:
    table = DenseTable(3706, 64)
    assert len(table.pack(table.init(Draws(1, "t")))) == 948_736 + 12


def test_a_table_of_another_shape_is_not_packed() -> None:
    with pytest.raises(ValueError, match=r"\(4, 3\)"):
        DenseTable(4, 3).pack({"item": torch.zeros(3, 4)})


@pytest.mark.parametrize(("n", "dim", "sd"), [(-1, 2, 0.1), (2, 0, 0.1), (2, 2, -0.1)])
def test_impossible_tables_are_refused(n: int, dim: int, sd: float) -> None:
    with pytest.raises(ValueError, match="no table"):
        DenseTable(n, dim, sd=sd)


def test_rows_are_normal_with_the_given_deviation() -> None:
    rows = normal_rows(Draws(1, "t"), np.arange(2000), 16, 0.1)
    assert rows.dtype == np.float32
    assert rows.mean() == pytest.approx(0, abs=4 * 0.1 / np.sqrt(rows.size))
    assert rows.std() == pytest.approx(0.1, rel=0.02)


def test_a_row_is_the_same_however_many_are_drawn_with_it() -> None:
    many = normal_rows(Draws(1, "t"), np.arange(70_000), 2, 0.1)
    few = normal_rows(Draws(1, "t"), np.array([69_999, 3]), 2, 0.1)
    np.testing.assert_array_equal(many[[69_999, 3]], few)


def test_two_tables_of_one_model_start_from_different_numbers() -> None:
    items, places = (
        DenseTable(4, 3).init(Draws(1, "t")),
        DenseTable(4, 3, name="place").init(Draws(1, "t")),
    )
    assert not torch.equal(items["item"], places["place"])
