"""The candidates table: a mix of widths by weights, one for all or by popularity."""

import numpy as np
import pytest
import torch

from droidloop.models.tables.candidates import CandidatesTable
from droidloop.platform.draws import Draws
from tests.contracts.embedding_table import EmbeddingTableContract

POPULAR = np.linspace(-1, 1, 9)


class TestForAll(EmbeddingTableContract):
    table = CandidatesTable(9, 4, (1, 2, 4))
    packed_bytes = 4 * (36 + 4 + 8 + 3)


class TestByPopularity(EmbeddingTableContract):
    table = CandidatesTable(9, 4, (2, 4), POPULAR, hidden=3)
    packed_bytes = 4 * (36 + 8 + 9 + 3 + 3 + 6)


def test_with_all_weight_on_one_candidate_the_others_do_not_count() -> None:
    table = CandidatesTable(9, 4, (1, 2, 4))
    params = table.init(Draws(3, "t"))
    rows = params["item"]
    for k, expected in enumerate(
        (rows[:, :1] @ params["item_map0"], rows[:, :2] @ params["item_map1"], rows)
    ):
        params["item_choice"] = 100.0 * torch.eye(3)[k]
        torch.testing.assert_close(table.lookup(params, torch.arange(9)), expected)
        assert table.chosen(params).tolist() == [table.widths[k]] * 9
        assert float(table.expected(params)) == pytest.approx(table.widths[k])


def test_gumbel_noise_takes_each_candidate_as_often_as_its_weight_says() -> None:
    table = CandidatesTable(2, 4, (1, 2, 4))
    logits = np.log([0.5, 0.3, 0.2])
    steps = [table.in_step(Draws(3, "g"), 0, counter) for counter in range(3000)]
    noise = np.array([one.noise for one in steps if isinstance(one, CandidatesTable)])
    taken = np.bincount((logits + noise).argmax(axis=1)) / 3000
    np.testing.assert_allclose(taken, [0.5, 0.3, 0.2], atol=0.03)


def test_widths_that_do_not_grow_to_the_whole_are_refused() -> None:
    for widths in ((2, 1, 4), (1, 2), (0, 4)):
        with pytest.raises(ValueError, match=r"widths|whole"):
            CandidatesTable(2, 4, widths)
