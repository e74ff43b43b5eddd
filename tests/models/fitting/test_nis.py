"""NIS: rewards grow as the policy learns, and what it prefers is trained again."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.fitting.nis import Policy, nis, search
from droidloop.models.fitting.torch_descent import labelled
from droidloop.models.tables.masked import MaskedTable
from droidloop.platform.errors import DroidloopError
from tests.models.fitting.judged_world import DRAWS, world

WORLD = world()
MODEL = WORLD.model()
FIRST = WORLD.first(MODEL)
COUNTS = {"item": WORLD.counts}
POLICY = Policy(labelled(WORLD.valid, 1000, DRAWS), price=0.3, warm=2)


def test_the_last_tenth_of_the_rewards_is_above_the_first() -> None:
    fitted, learned = nis(
        *(MODEL, FIRST, COUNTS, WORLD.training(20), POLICY),
        *(WORLD.training(6), WORLD.judge),
    )
    tenth = len(learned.rewards) // 10
    assert learned.rewards[-tenth:].mean() > learned.rewards[:tenth].mean()
    rows, columns = learned.kept["item"]
    assert learned.masks["item"].sum() == round(rows * 40) * round(columns * 8)
    popular = np.argsort(-WORLD.counts, kind="stable")[: round(rows * 40)]
    assert set(np.flatnonzero(learned.masks["item"].any(axis=1))) == set(popular)
    assert WORLD.judge(fitted.model)(fitted.params) > 0.65


def test_a_dear_number_is_not_kept() -> None:
    learned = search(MODEL, FIRST, COUNTS, WORLD.training(20), replace(POLICY, price=5.0))
    assert learned.masks["item"].mean() < 0.1


def test_of_choices_only_those_within_the_budget_are_offered() -> None:
    free = replace(POLICY, price=0.0)
    whole = MaskedTable.of(search(MODEL, FIRST, COUNTS, WORLD.training(4), free).masks["item"])
    tight = replace(free, budget_bytes=whole.nbytes // 3)
    found = search(MODEL, FIRST, COUNTS, WORLD.training(4), tight)
    assert MaskedTable.of(found.masks["item"]).nbytes <= whole.nbytes // 3
    with pytest.raises(DroidloopError, match="no choice fits in 10 bytes"):
        search(MODEL, FIRST, COUNTS, WORLD.training(4), replace(free, budget_bytes=10))
