"""What a table of rows need not say itself is right for it: the contract of tables holds."""

from dataclasses import dataclass

import numpy as np
import torch

from droidloop.models.interfaces.learning import Ids, Parameter, Params
from droidloop.models.tables.row_table import RowTable
from tests.contracts.embedding_table import EmbeddingTableContract


@dataclass(frozen=True)
class OwnRows(RowTable):
    """One row for each id."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        return {self.name: Parameter((self.n, self.dim), by_row=True)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        return {self.name: ids}


@dataclass(frozen=True)
class TwoRows(RowTable):
    """The sum of two rows of seven."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        return {self.name: Parameter((7, self.dim), by_row=True)}

    def rows_of(self, ids: Ids) -> dict[str, Ids]:
        both = np.stack([ids, ids // 7 + ids], axis=-1) % 7
        return {self.name: np.where(ids[..., None] < 0, -1, both)}

    def compose(self, parts: Params) -> torch.Tensor:
        return parts[self.name].sum(-2)


class TestOwnRows(EmbeddingTableContract):
    table = OwnRows(9, 4)
    packed_bytes = 9 * 4 * 4


class TestTwoRows(EmbeddingTableContract):
    table = TwoRows(30, 6, name="place")
    packed_bytes = 7 * 6 * 4


def test_a_table_of_another_class_is_not_unpacked() -> None:
    assert OwnRows(7, 6).magic != TwoRows(7, 6).magic


def test_two_rows_cost_twice_the_look_ups() -> None:
    one, two = OwnRows(1000, 4).cost(5), TwoRows(1000, 4).cost(5)
    assert (OwnRows(1000, 4).rows_each, TwoRows(1000, 4).rows_each) == (1, 2)
    assert one.flops == two.flops == 5 * 3 * 4
    assert one.moved_bytes == 4 * (12 * 5 + 16 * 5)
    assert two.moved_bytes == 4 * (12 * 10 + 16 * 7)
