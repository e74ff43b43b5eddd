"""The same models trained in one place: what those on phones are held to."""

import numpy as np

from droidloop.models.fitting.fit import fit
from droidloop.models.interfaces.learning import Params, Recommender
from droidloop.platform.draws import Draws

from .evaluator import ModelScorer
from .task_data import Material

EPOCHS = 60
LEARNING_RATE = 0.01
BATCH = 2048
PATIENCE = 5
NEGATIVES = 4


def train_centrally(recommender: Recommender, material: Material) -> Params:
    """Return all parameters of *recommender*, of the epoch that was best on the validation items.

    Private parameters have one row a user.
    """
    split, draws = material.split, Draws(material.scenario.seed, "central")

    def quality(params: Params) -> float:
        judge = material.judge
        return judge.yardstick.sign * judge.quality(ModelScorer(recommender, params), "valid")

    users = np.arange(split.n_users)
    return fit(
        recommender,
        recommender.init(draws) | recommender.init_private(draws, users),
        split.train,
        n_items=split.n_items,
        exclude=material.exclude,
        epochs=EPOCHS,
        lr=LEARNING_RATE,
        batch=BATCH,
        negatives=NEGATIVES,
        draws=draws,
        validate=quality,
        patience=PATIENCE,
    )
