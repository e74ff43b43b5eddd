"""Binary tables: the bytes of the formula, counts of bits that are products, gradients of signs."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.binary import (
    METHOD,
    BinaryTable,
    codes_of,
    popcount_scores,
    signs_of,
)
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(8, "binary")


class TestWholeBytes(EmbeddingTableContract):
    table = BinaryTable(40, 24)
    packed_bytes = 40 * 3


class TestBitsLeftOver(EmbeddingTableContract):
    table = BinaryTable(41, 13, name="place")
    packed_bytes = 41 * 2


def test_the_item_table_of_movielens_1m_packs_into_29648_bytes_and_a_header() -> None:
    """methods.md B4."""
    table = find("table", "binary").build(METHOD.section(), 3706, 64, sd=0.1)
    assert table.nbytes == 29_648
    assert len(table.pack(table.init(DRAWS))) == 29_648 + 12


@pytest.mark.parametrize("dim", [1, 8, 16, 63, 64, 65, 128])
def test_counting_bits_gives_the_products_of_the_signs_exactly(dim: int) -> None:
    vectors = DRAWS.normal(np.arange(50)[:, None], np.arange(dim))
    codes, signs = codes_of(vectors), np.where(vectors >= 0, 1, -1)
    assert codes.nbytes == 50 * -(-dim // 8)
    assert np.array_equal(signs_of(codes, dim), signs)
    assert np.array_equal(popcount_scores(codes[:20], codes, dim), signs[:20] @ signs.T)


def test_vectors_are_signs_and_their_slope_is_that_of_the_numbers_behind() -> None:
    table = BinaryTable(2, 3)
    latent = torch.tensor([[0.3, -0.2, 0.0], [-1e-9, 7.0, -4.0]], requires_grad=True)
    vectors = table.lookup({"item": latent}, torch.arange(2))
    assert vectors.tolist() == [[1, -1, 1], [-1, 1, -1]]
    slopes = torch.arange(6.0).reshape(2, 3)
    (vectors * slopes).sum().backward()  # type: ignore[no-untyped-call]
    assert torch.equal(latent.grad, slopes)  # type: ignore[arg-type]


def test_a_table_without_signs_is_refused() -> None:
    with pytest.raises(ValueError, match="rows of 0 signs"):
        BinaryTable(3, 0)
