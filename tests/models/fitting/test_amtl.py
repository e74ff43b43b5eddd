"""AMTL: nothing is lost when the layer comes, then rare ids become shorter than frequent ones."""

import numpy as np
import torch
from scipy.stats import spearmanr

from droidloop.models.fitting.amtl import amtl, frequency_of, warm
from tests.models.fitting.judged_world import world

WORLD = world()
MODEL = WORLD.model()


def test_step_0_of_a_warm_start_scores_bit_for_bit_as_before() -> None:
    trained = WORLD.training(2).train(MODEL, WORLD.first(MODEL))
    layered, params = warm(MODEL, trained, {"item": WORLD.counts}, WORLD.training(1))
    users, items = torch.arange(60)[:, None], torch.arange(40)[None]
    assert torch.equal(layered.score(params, users, items), MODEL.score(trained, users, items))


def test_lengths_grow_with_frequency_and_numbers_are_saved() -> None:
    trained = WORLD.training(6).train(MODEL, WORLD.first(MODEL))
    fitted, lengths = amtl(MODEL, trained, {"item": WORLD.counts}, WORLD.training(10), 0.3)
    assert lengths["item"].mean() < 7
    assert spearmanr(lengths["item"], WORLD.counts).statistic > 0.3
    assert WORLD.judge(fitted.model)(fitted.params) > 0.7
    assert fitted.model.tables["item"].nbytes < MODEL.tables["item"].nbytes


def test_frequencies_are_places_in_order() -> None:
    assert frequency_of(np.array([5, 1, 9])).tolist() == [0.5, 0.0, 1.0]
