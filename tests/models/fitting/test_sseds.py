"""SSEDS: one pass tells what the loss would miss; exactly the share of the dimensions is kept."""

import numpy as np
import torch
from scipy.stats import spearmanr

from droidloop.models.fitting.sseds import (
    kept_dimensions,
    narrowed,
    removal,
    salience,
    sseds,
)
from droidloop.models.tables.mixed import MixedTable
from tests.models.fitting.judged_world import world

WORLD = world()
NAMES = ["item", "user", "age"]
MODEL = WORLD.model()
FIRST = WORLD.first(MODEL)


def test_the_salience_is_the_slope_of_the_loss_by_the_mask() -> None:
    [batch] = list(WORLD.training(1).feed(0))[:1]
    found = salience(MODEL, FIRST, NAMES, [batch])
    params, step = dict(FIRST), 1e-2
    sides = []
    for scale in (1 + step, 1 - step):
        params["item"] = FIRST["item"].clone()
        params["item"][:, 3] *= scale
        sides.append(float(MODEL.loss(params, batch).double().mean()))
    expected = abs(sides[0] - sides[1]) / (2 * step)
    np.testing.assert_allclose(found["item"][3], expected, rtol=0.05)


def test_the_salience_ranks_as_the_loss_of_removal_while_that_is_small() -> None:
    params = {name: value * 0.1 if name in NAMES else value for name, value in FIRST.items()}
    batches = list(WORLD.training(1).feed(0))
    found = np.concatenate(list(salience(MODEL, params, NAMES, batches).values()))
    grown = np.concatenate(list(removal(MODEL, params, NAMES, batches).values()))
    assert spearmanr(found, np.abs(grown)).statistic > 0.7


def test_exactly_the_share_of_the_dimensions_is_kept_and_no_field_is_without() -> None:
    saliences = {"a": np.array([4.0, 3.0, 2.0, 1.0]), "b": np.array([0.1, 0.2, 0.0, 0.0])}
    kept = kept_dimensions(saliences, 0.5)
    assert kept["a"].tolist() == [True, True, True, False]
    assert kept["b"].tolist() == [False, True, False, False]
    assert sum(int(one.sum()) for one in kept_dimensions(saliences, 0.01).values()) == 2


def test_what_is_left_scores_as_with_zeros_for_what_is_gone() -> None:
    kept = {name: np.arange(8) % 3 == 0 for name in NAMES}
    made, params = narrowed(MODEL, FIRST, kept)
    zeros = FIRST | {name: FIRST[name] * torch.from_numpy(kept[name]) for name in NAMES}
    users, items = torch.arange(60)[:, None], torch.arange(40)[None]
    expected = MODEL.score(zeros, users, items)
    torch.testing.assert_close(made.score(params, users, items), expected)


def test_narrow_tables_are_trained_again_and_still_tell_likes() -> None:
    trained = WORLD.training(6).train(MODEL, FIRST)
    fitted = sseds(MODEL, FIRST, trained, NAMES, 0.5, WORLD.training(8), WORLD.judge)
    tables = [fitted.model.tables[name] for name in NAMES]
    assert sum(one.widths[0] for one in tables if isinstance(one, MixedTable)) == 12
    assert WORLD.judge(fitted.model)(fitted.params) > 0.7
