"""A made-up world of likes for fitters of tables: a few true dimensions, popular and rare items."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from droidloop.models.data.fields import Fields
from droidloop.models.data.samples import Samples
from droidloop.models.fitting.fit_din import scores_of
from droidloop.models.fitting.torch_descent import labelled
from droidloop.models.fitting.training import Training, Validate
from droidloop.models.interfaces.learning import Params, Recommender, init_all
from droidloop.models.metrics.auc import auc
from droidloop.models.recommenders.fm import FM
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

USERS, ITEMS, DIM = 60, 40, 8
DRAWS = Draws(17, "judged")


@dataclass(frozen=True)
class World:
    """Samples of training and validation, and how often each item is in the first."""

    train: Samples
    valid: Samples
    counts: IntArray

    def model(self) -> FM:
        """Return a machine on users, items and one field, all shared."""
        ages = DRAWS.child("age").integers(np.arange(USERS), 0, 3)
        given = {"user": DenseTable(USERS, DIM, name="user")}
        return FM(DenseTable(ITEMS, DIM), Fields({"age": ages}, {"age": 3}), given)

    def first(self, model: Recommender) -> Params:
        """Return fresh parameters."""
        return init_all(model, DRAWS, USERS)

    def training(self, epochs: int, lr: float = 0.05, weight_decay: float = 1e-4) -> Training:
        """Return how to train on the samples."""
        return Training(labelled(self.train, 256, DRAWS), DRAWS, epochs, lr, weight_decay)

    def judge(self, model: Recommender) -> Validate:
        """Return what gives the AUC on validation."""
        return lambda params: auc(self.valid.labels, scores_of(model, params, self.valid))


@cache
def world(per_user: int = 60) -> World:
    """Return samples whose labels are the signs of products of two true dimensions.

    Item x is drawn in proportion to 1 / (x + 1).
    """
    rows, steps = np.arange(USERS)[:, None], np.arange(per_user)
    popular = np.cumsum(1 / np.arange(1, ITEMS + 1))
    chance = DRAWS.child("items").uniform(rows, steps) * popular[-1]
    items = np.searchsorted(popular, chance)
    true = [
        DRAWS.child(name).normal(np.arange(n)[:, None], np.arange(2))
        for name, n in (("user", USERS), ("item", ITEMS))
    ]
    logits = 2 * (true[0][:, None] * true[1][items]).sum(-1)
    labels = DRAWS.child("labels").uniform(rows, steps) < 1 / (1 + np.exp(-logits))
    each = Samples(
        np.repeat(np.arange(USERS), per_user),
        items.reshape(-1).astype(np.int32),
        labels.reshape(-1).astype(np.float32),
        np.empty((USERS * per_user, 0), np.int32),
        np.arange(USERS + 1) * per_user,
    )
    held = np.tile(steps >= per_user * 3 // 4, USERS)
    train = each.take(~held)
    return World(train, each.take(held), np.bincount(train.items, minlength=ITEMS))
