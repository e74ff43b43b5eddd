"""Tensor chains: the expanded chain is the product of the cores, padded where it has to be."""

import math

import numpy as np
import pytest

from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.tensor_chain import METHOD, TensorChainSection, TensorChainTable
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "chain")


class TestTrain(EmbeddingTableContract):
    table = TensorChainTable(41, 6, 4)
    packed_bytes = 4 * (7 * 2 * 4 + 6 * 4 * 3)


class TestLoose(EmbeddingTableContract):
    table = TensorChainTable(41, 16, 8, 2, 2, name="place")
    packed_bytes = 4 * (7 * 4 * 8 + 6 * 4 * 2)


class TestThreeCores(EmbeddingTableContract):
    table = TensorChainTable(50, 8, 6, 3, 2)
    packed_bytes = 4 * (4 * 2 * 6 + 4 * 3 * 6 + 4 * 3 * 1)


@pytest.mark.parametrize("n", [1, 7, 41, 97, 3706])
@pytest.mark.parametrize(("cores", "loose"), [(2, 1), (2, 4), (3, 2), (4, 1)])
def test_a_chain_of_any_length_has_the_parameters_of_its_cores(
    n: int, cores: int, loose: int
) -> None:
    """No n is a product of the digits but by chance: what is above is padding."""
    table = TensorChainTable(n, 64, 8, cores, loose)
    assert math.prod(table.digits) >= n
    assert (max(table.digits) - 1) ** cores < n
    assert math.prod(table.factors) == 64
    assert every_vector(table, table.init(DRAWS)).shape == (n, 64)
    numbers = sum(d * p * q for d, (p, q) in zip(table.digits, table.shapes, strict=True))
    assert table.nbytes == 4 * numbers


def test_a_loose_chain_is_the_semi_tensor_product_of_its_cores() -> None:
    table = TestLoose.table
    params = {name: value.numpy() for name, value in table.init(DRAWS).items()}
    vectors = every_vector(table, table.init(DRAWS))
    rows = {name: rows.tolist() for name, rows in table.rows_of(np.arange(41)).items()}
    for item in (0, 23, 40):
        first = params["place_0"][rows["place_0"][item]].reshape(4, 8)
        small = params["place_1"][rows["place_1"][item]].reshape(4, 2)
        expected = first @ np.kron(small, np.eye(2))
        np.testing.assert_allclose(vectors[item], expected.reshape(16), atol=1e-6)


def test_no_two_ids_have_the_same_digits() -> None:
    table = TensorChainTable(3706, 64, 8, 3)
    digits = np.stack(list(table.rows_of(np.arange(3706)).values()), axis=1)
    assert len(np.unique(digits, axis=0)) == 3706


def test_first_vectors_have_the_deviation_that_was_asked_for() -> None:
    for cores, loose in ((2, 1), (2, 2), (3, 2)):
        table = TensorChainTable(3000, 64, 16, cores, loose, sd=0.1)
        assert every_vector(table, table.init(DRAWS)).std() == pytest.approx(0.1, rel=0.15)


def test_loose_chains_hold_fewer_numbers_behind_the_first_core() -> None:
    plain, loose = (TensorChainTable(3706, 64, 16, 2, t).nbytes for t in (1, 2))
    assert plain - loose == 4 * 61 * 16 * 8 * 3 // 4


def test_what_does_not_fit_together_is_refused() -> None:
    assert find("table", "tensor-chain") is METHOD
    assert METHOD.build(TensorChainSection(), 3706, 64, sd=0.1).rank == 16
    with pytest.raises(ScenarioError, match=r"model\.table\.loose = 3: .*does not fit"):
        METHOD.build(TensorChainSection(loose=3), 3706, 64, sd=0.1)
    with pytest.raises(ValueError, match="no 3 vectors"):
        TensorChainTable(3, 2, 0)
