"""OptEmbed: rows go by a learned threshold, widths by evolution, and indexes count."""

import numpy as np
import torch

from droidloop.models.fitting.evolution import Evolution, evolve
from droidloop.models.fitting.optembed import NormThresholdTable, optembed, row_bytes
from droidloop.models.tables.masked import MaskedTable
from droidloop.platform.draws import Draws
from tests.contracts.embedding_table import EmbeddingTableContract
from tests.models.fitting.judged_world import world

WORLD = world()
NAMES = ["item", "user", "age"]


class TestNormThreshold(EmbeddingTableContract):
    table = NormThresholdTable(9, 4, least=0.05)
    packed_bytes = 4 * (9 * 4 + 1)


class TestSupernet(EmbeddingTableContract):
    table = NormThresholdTable(9, 4, None, True)
    packed_bytes = 4 * (9 * 4 + 1)


def test_a_vector_that_is_no_longer_than_the_threshold_is_0() -> None:
    table = NormThresholdTable(3, 2, 1)
    params = {
        "item": torch.tensor([[0.5, 0.5], [2.0, 1.0], [0.0, 3.0]]),
        "item_least": torch.ones(1),
    }
    vectors = table.lookup(params, torch.arange(3))
    assert vectors.tolist() == [[0.0, 0.0], [2.0, 0.0], [0.0, 0.0]]
    assert table.rows_left(params).tolist() == [False, True, True]


def test_each_step_draws_a_width() -> None:
    table = NormThresholdTable(3, 8, None, True)
    steps = [table.in_step(Draws(1, "w"), 0, counter) for counter in range(200)]
    widths = [one.width for one in steps if isinstance(one, NormThresholdTable)]
    assert set(widths) == set(range(1, 9))


def test_evolution_finds_what_is_best_within_what_is_allowed() -> None:
    def merit(genome: tuple[int, ...]) -> float:
        return -sum((one - 5) ** 2 for one in genome)

    draws, long = Draws(2, "evolve"), Evolution(20, 20)
    found = evolve([9, 9, 9], merit, draws, long)
    assert found.best == (5, 5, 5)
    assert max(found.tried[-1]) == found.merit == 0
    small = evolve([9, 9, 9], merit, draws, long, lambda genome: sum(genome) <= 9)
    assert sum(small.best) == 9


def test_what_is_left_is_trained_again_and_its_bytes_hold_rows_and_offsets() -> None:
    model = WORLD.model()
    first = WORLD.first(model)
    fitted, chosen = optembed(
        *(model, first, NAMES, WORLD.training(8), WORLD.training(8), WORLD.judge),
        price=0.01,
        budget_bytes=2400,
        evolution=Evolution(3, 6, 3),
    )
    assert row_bytes(chosen.rows, chosen.widths) <= 2400
    for name in NAMES:
        table = fitted.model.tables[name]
        assert isinstance(table, MaskedTable)
        assert table.kept == chosen.rows[name].sum() * chosen.widths[name]
    assert WORLD.judge(fitted.model)(fitted.params) > 0.65


def test_rows_cost_their_offsets_and_numbers_their_columns() -> None:
    rows = {"item": np.array([True, False, True])}
    assert row_bytes(rows, {"item": 4}) == 8 * 4 + 8 * 1 + 4 * 4
