"""Baselines are as strong as validation makes them, and never look at the test part."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.models.data.split import leave_one_out
from droidloop.models.data.synthetic import generate
from droidloop.models.evaluation.candidates import exclusions, sample_candidates
from droidloop.models.evaluation.evaluator import Evaluator, TableScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.fitting.baselines import SIMPLE, central, chosen, simple
from droidloop.models.interfaces.staleness import within
from droidloop.models.recommenders.mf import MF
from droidloop.platform.draws import Draws

DATA = generate(60, 80, 15, Draws(2, "data"))
SPLIT = leave_one_out(DATA)
EVALUATOR = Evaluator(SPLIT, sample_candidates(SPLIT, Draws(2, "candidates"), 30), 5)
TASK = TaskData(
    *("made", None, DATA, SPLIT, exclusions(SPLIT, "clean"), EVALUATOR),
    *(Draws(2, "learning"), Draws(2, "central"), within(0)),
)


def held(part: str) -> TableScorer:
    """Return a scorer that knows what was held out in *part*."""
    scores = np.zeros((60, 80), np.float32)
    events = SPLIT.valid if part == "valid" else SPLIT.test
    scores[np.repeat(np.arange(60), events.counts), events.items] = 1
    return TableScorer(scores)


def test_settings_are_chosen_on_validation() -> None:
    tried = [({"knows": 0.0}, held("test")), ({"knows": 1.0}, held("valid"))]
    assert chosen(EVALUATOR, tried).setting == {"knows": 1.0}
    assert chosen(EVALUATOR, tried[:1] * 2).setting == {"knows": 0.0}


@pytest.mark.parametrize("name", SIMPLE)
def test_no_other_setting_is_better_on_validation(name: str) -> None:
    tried = list(SIMPLE[name](TASK, 4))
    qualities = [EVALUATOR.quality(scorer, "valid") for _, scorer in tried]
    one = simple(name, TASK, 4)
    assert EVALUATOR.quality(one.scorer, "valid") == max(qualities)
    assert one.setting == tried[int(np.argmax(qualities))][0]


def test_the_test_part_has_no_say() -> None:
    other = replace(SPLIT, test=SPLIT.valid)
    blind = replace(TASK, split=other, evaluator=replace(EVALUATOR, split=other))
    users = np.arange(60)
    for name in SIMPLE:
        one, two = simple(name, TASK, 4), simple(name, blind, 4)
        assert one.setting == two.setting
        assert np.array_equal(one.scorer.every(users), two.scorer.every(users))


def test_what_one_place_trains_has_its_regulariser_chosen() -> None:
    def build(l2: float) -> MF:
        return MF(80, 4, "log", l2)

    weakest = central(build, TASK, penal=False)
    best = central(build, TASK, penal=True)
    assert weakest.setting == {}
    assert set(best.setting) == {"l2"}
    at = [EVALUATOR.quality(one.scorer, "valid") for one in (weakest, best)]
    assert at[1] >= at[0]
