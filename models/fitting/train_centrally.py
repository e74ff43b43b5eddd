"""The same models trained in one place: what those on phones are held to."""

import numpy as np

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import Params, Recommender

from .compiled_adam import compiles
from .fit import Hyperparameters, fit

CENTRAL = Hyperparameters(epochs=60, lr=0.01, batch=2048, negatives=4, patience=5)
"""The same for every model."""


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
        CENTRAL,
        n_items=split.n_items,
        exclude=task.exclude,
        draws=draws,
        validate=quality,
        engine="numba" if compiles(recommender) else "torch",
    )
