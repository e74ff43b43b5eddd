"""Phase tables: signs times four levels, two bits each; scores are counts of bits times levels."""

import numpy as np
import torch

from droidloop.models.tables.binary import codes_of
from droidloop.models.tables.float_rows import every_vector
from droidloop.models.tables.phase import METHOD, PhaseSection, PhaseTable, levels_of, phase_scores
from droidloop.platform.draws import Draws
from droidloop.platform.registry import find
from tests.contracts.embedding_table import EmbeddingTableContract

DRAWS = Draws(5, "phase")


class TestPhase(EmbeddingTableContract):
    table = PhaseTable(41, 12, name="place")
    packed_bytes = 41 * 2 + 11 + 16


def test_the_item_table_of_movielens_1m_has_two_bits_more_than_signs() -> None:
    assert PhaseTable(3706, 64).nbytes == 29_648 + 927 + 16


def test_a_vector_is_its_signs_times_the_nearest_level() -> None:
    table = PhaseTable(3, 4)
    latent = torch.tensor([[1.0, -1, 1, -1], [0.2, 0.2, -0.2, 0.2], [3.0, 3, 3, -3]])
    params = {"item": latent, "item_levels": torch.tensor([[0.25], [0.5], [1.1], [2.5]])}
    expected = np.sign(latent.numpy()) * np.array([[1.1], [0.25], [2.5]], np.float32)
    np.testing.assert_allclose(every_vector(table, params), expected, rtol=1e-6)


def test_levels_are_the_means_of_quarters() -> None:
    np.testing.assert_allclose(levels_of(np.arange(8.0)), [0.5, 2.5, 4.5, 6.5])


def test_scores_by_popcount_are_the_products() -> None:
    table = PhaseTable(50, 20)
    params = table.init(DRAWS)
    users = np.where(DRAWS.normal(np.arange(3)[:, None], np.arange(20)) >= 0, 1, -1)
    codes, level = table.coded(params)
    found = phase_scores(codes_of(users), codes, level, params["item_levels"].numpy(), 20)
    np.testing.assert_allclose(found, users @ every_vector(table, params).T, atol=1e-5)


def test_it_is_built_by_its_key() -> None:
    assert find("table", "phase") is METHOD
    assert METHOD.build(PhaseSection(), 9, 4, sd=0.1).nbytes == 9 + 3 + 16
