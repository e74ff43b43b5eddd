"""Codes: the bytes of the formula, sums of codewords, codes that fit better and better."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.assigned import AssignedTable
from droidloop.models.tables.codes import METHOD, CodebookTable, CodesSection, CodesTable
from droidloop.models.tables.coding import learn_codes
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.arrays import FloatArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError, ScenarioError
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "codes")


def codes_of(n: int, books: int, words: int) -> IntArray:
    return (DRAWS.uniform(np.arange(n)[:, None], np.arange(books)) * words).astype(np.int64)


class TestTrained(EmbeddingTableContract):
    table = CodesTable(40, 24, 1, 40)  # nothing is lost
    packed_bytes = 40 * 24 * 4


class TestShipped(EmbeddingTableContract):
    table = CodebookTable(41, 6, 5, codes_of(41, 3, 5), name="place")
    packed_bytes = 3 * 5 * 6 * 4 + 47  # 41 x 3 codes of 3 bits are 369 bits


def vectors(n: int = 60, dim: int = 8) -> FloatArray:
    return DRAWS.child("vectors").normal(np.arange(n)[:, None], np.arange(dim))


def test_the_item_table_of_movielens_1m_takes_the_bytes_of_the_formula() -> None:
    """methods.md B4: 65,536 for the codebooks, 18,530 for codes of 40 bits."""
    table = CodebookTable(3706, 64, 32, codes_of(3706, 8, 32))
    assert table.nbytes == 84_066
    assert len(table.pack(table.init(DRAWS))) == 84_066 + 12
    assert CodebookTable(3706, 64, 256, codes_of(3706, 8, 256)).nbytes == 524_288 + 29_648


def test_a_vector_is_the_sum_of_one_codeword_of_each_codebook() -> None:
    table = TestShipped.table
    words = table.init(DRAWS)["place"].reshape(3, 5, 6)
    expected = sum(words[book, int(table.codes[7, book])] for book in range(3))
    [found] = table.lookup(table.init(DRAWS), torch.tensor([7]))
    torch.testing.assert_close(found, expected)


def test_what_a_phone_reads_is_the_servers_table_bit_for_bit() -> None:
    coded = learn_codes(vectors(), 3, 8, DRAWS)
    table, params = CodebookTable.of(coded, name="item", sd=0.1)
    blank = CodebookTable(60, 8, 8, np.zeros((60, 3), np.int64))
    read, got = blank.read(table.pack(params))
    np.testing.assert_array_equal(read.codes, table.codes)
    assert torch.equal(got["item"], params["item"])
    with pytest.raises(PackageError, match="codes are others"):
        blank.unpack(table.pack(params))


def test_more_codebooks_and_more_passes_leave_less() -> None:
    def left(books: int, passes: int = 4) -> float:
        coded = learn_codes(vectors(), books, 8, DRAWS, passes=passes)
        return float(np.square(vectors() - coded.vectors).sum())

    errors = [left(books) for books in (1, 2, 3)]
    assert np.all(np.diff(errors) < 0)
    assert left(3, 6) <= left(3, 3) < left(3, 0)


def test_as_many_codewords_as_vectors_lose_nothing() -> None:
    coded = learn_codes(vectors(16), 1, 16, DRAWS)
    np.testing.assert_allclose(coded.vectors, vectors(16), atol=1e-6)


def test_it_ships_codes_of_what_was_trained_the_same_each_time() -> None:
    table = CodesTable(60, 8, 3, 8)
    params = {"item": torch.from_numpy(vectors().astype(np.float32))}
    (kind, first), (_, again) = table.scorer(params), table.scorer(params)
    assert kind.endswith("codes:Scorer")
    assert {name: array.tobytes() for name, array in first.items()} == {
        name: array.tobytes() for name, array in again.items()
    }
    assert first["codes"].nbytes + first["words"].nbytes == 60 * 3 + 4 * 3 * 8 * 8
    shipped, coded = table.coded(params)
    assert np.square(every_vector(shipped, coded) - vectors()).sum() < np.square(vectors()).sum()


def test_what_cannot_be_is_refused_in_one_line() -> None:
    assert find("table", "codes") is METHOD
    assert METHOD.build(CodesSection(), 3706, 64, sd=0.1).books == 8
    with pytest.raises(ScenarioError, match=r"model\.table\.books = 8.*take fewer"):
        METHOD.build(CodesSection(), 30, 16, sd=0.1)
    with pytest.raises(ValueError, match="a code is 5"):
        CodebookTable(1, 2, 5, np.array([[5]]))
    with pytest.raises(ValueError, match="codewords"):
        CodesTable(3, 2, 1, 257)
    with pytest.raises(ValueError, match="shape"):
        CodebookTable(3, 2, 4, np.zeros((2, 1), np.int64))


def test_learned_codes_that_are_equal_are_counted_and_give_one_vector() -> None:
    codes = np.array([[0, 1], [1, 0], [0, 1], [0, 1]])
    table = CodebookTable(4, 6, 2, codes)
    vectors = every_vector(table, table.init(Draws(1, "codes")))
    assert table.collisions == 2
    assert len(np.unique(vectors, axis=0)) == 4 - table.collisions
    assert CodebookTable(4, 6, 4, np.arange(4)[:, None]).collisions == 0
    assert AssignedTable(3, 6, 4, np.array([[0, 1], [1, 0], [2, 3]])).collisions == 1
