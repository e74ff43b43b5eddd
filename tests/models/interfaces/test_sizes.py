"""A table of items is nearly all of a model; what ships is what counts."""

from dataclasses import dataclass, field

import numpy as np

from droidloop.models.data.fields import Fields
from droidloop.models.interfaces.learning import EmbeddingTable
from droidloop.models.interfaces.sizes import Sizes, sizes_of
from droidloop.models.recommenders.din import DIN
from droidloop.models.recommenders.fm import FM
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.binary import BinaryTable
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.draws import Draws


@dataclass
class Model:
    """What has a table and other parameters, and nothing else."""

    tables: dict[str, EmbeddingTable]
    dense: dict[str, tuple[int, ...]] = field(default_factory=dict)


def test_a_table_beside_other_parameters_is_told_by_its_share() -> None:
    table = DenseTable(10_000, 128)
    sizes = sizes_of(Model({"item": table}, {"weights": (700, 90), "bias": (7000,)}))  # type: ignore[arg-type]
    assert sizes == Sizes(5_120_000, 5_400_000)
    assert round(100 * sizes.table_share, 1) == 94.8


def test_of_a_model_that_names_no_shapes_the_first_values_tell() -> None:
    din = DIN(20, dim=4, personal=False)
    first = sum(4 * one.numel() for one in din.init(Draws(1, "din")).values())
    assert sizes_of(din).shared_bytes == first
    assert sizes_of(din).table_bytes == sum(table.nbytes for table in din.tables.values()) < first


def test_tables_of_further_fields_count_once() -> None:
    fm = FM(DenseTable(20, 4), Fields(items=np.ones((20, 3), np.float32)))
    first = sum(4 * one.numel() for one in fm.init(Draws(1, "fm")).values())
    assert sizes_of(fm) == Sizes(4 * 4 * (20 + 3), first)


def test_matrix_factorisation_ships_its_table_alone() -> None:
    assert sizes_of(MF(50, 8)).plain() == {
        "table_bytes": 1600,
        "shared_bytes": 1600,
        "table_share": 1.0,
    }


def test_a_small_table_counts_as_it_ships() -> None:
    assert sizes_of(MF(50, 8, table=BinaryTable(50, 8))).shared_bytes == 50


def test_a_model_that_shares_nothing_has_no_share() -> None:
    assert sizes_of(Model({})).table_share == 0.0  # type: ignore[arg-type]
