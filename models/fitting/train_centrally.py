"""The same models trained in one place: what those on phones are held to."""

import numpy as np

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Params, Recommender

from .compiled_adam import compiles
from .fit import fit

EPOCHS = 60
LEARNING_RATE = 0.01
BATCH = 2048
PATIENCE = 5
NEGATIVES = 4


def train_centrally(recommender: Recommender, task: TaskData) -> Params:
    """Return all parameters of *recommender*, of the epoch that was best on the validation items.

    Private parameters have one row a user.
    """
    split, draws = task.split, task.central

    def quality(params: Params) -> float:
        evaluator = task.evaluator
        return evaluator.yardstick.sign * evaluator.quality(
            ModelScorer(recommender, params), "valid"
        )

    users = np.arange(split.n_users)
    return fit(
        recommender,
        recommender.init(draws) | recommender.init_private(draws, users),
        split.train,
        n_items=split.n_items,
        exclude=task.exclude,
        epochs=EPOCHS,
        lr=LEARNING_RATE,
        batch=BATCH,
        negatives=NEGATIVES,
        draws=draws,
        validate=quality,
        patience=PATIENCE,
        engine="numba" if compiles(recommender) else "torch",
    )
