"""AutoDim and AutoEmb: widths by a search on validation, by field or by popularity."""

from dataclasses import replace

import numpy as np
from scipy.stats import spearmanr

from droidloop.models.fitting.autodim import Hunt, autosized, find_sizes, standing
from droidloop.models.fitting.torch_descent import labelled
from droidloop.models.tables.mixed import MixedTable
from tests.models.fitting.judged_world import DRAWS, world

WORLD = world()
MODEL = WORLD.model()
FIRST = WORLD.first(MODEL)
HUNT = Hunt(WORLD.training(5), labelled(WORLD.valid, 256, DRAWS), (1, 2, 8), lr=0.05, price=0.2)


def test_a_field_gets_a_width_and_a_price_makes_it_smaller() -> None:
    fitted, sizes = autosized(
        MODEL, FIRST, {"item": None, "user": None}, HUNT, WORLD.training(6), WORLD.judge
    )
    for name in ("item", "user"):
        table = fitted.model.tables[name]
        assert isinstance(table, MixedTable)
        assert table.widths == tuple({*sizes.chosen[name].tolist()})
    assert fitted.nbytes < sum(one.nbytes for one in MODEL.tables.values())
    assert WORLD.judge(fitted.model)(fitted.params) > 0.65
    dear = find_sizes(MODEL, FIRST, replace(HUNT, price=5.0), {"item": None, "user": None})
    assert dear.expected["item"][0] < sizes.expected["item"][0]


def test_popular_ids_get_wider_vectors() -> None:
    found = find_sizes(MODEL, FIRST, HUNT, {"item": WORLD.counts})
    assert spearmanr(found.expected["item"], WORLD.counts).statistic > 0.5
    assert set(found.chosen["item"]) <= {1, 2, 8}


def test_standing_is_the_place_in_order() -> None:
    assert standing(np.array([5, 1, 9])).tolist() == [0.0, -1.0, 1.0]
