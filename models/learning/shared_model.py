"""Learning where the server has the shared part and phones what is private of a recommender."""

from typing import Any, Protocol

import numpy as np
import torch

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import ClientRule, ItemRecommender, ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.packages.shipped import Ships

from .learning import FederatedLearning, Snapshot


class Shared(ItemRecommender, Ships, Protocol):
    """A recommender of a table of items whose shared part ships."""


def shared_learning(
    recommender: Shared, task: TaskData, client: ClientRule, server: ServerRule, **more: Any
) -> FederatedLearning:
    """Return learning in which *client* trains what *server* has, and what is private.

    *more* are further attributes of ``FederatedLearning``.
    """
    store = PrivateStore.of(recommender, task.draws.child("init"), task.split.n_users)
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=lambda: shared_snapshot(recommender, server, store),
        client=client,
        server=server,
        **more,
    )


def shared_snapshot(recommender: Shared, server: ServerRule, store: PrivateStore) -> Snapshot:
    """Return the shared parameters and every user's own ones, as they are now."""
    private = store.gather(np.arange(len(store)))
    params = {**server.params, **{name: torch.from_numpy(rows) for name, rows in private.items()}}
    return Snapshot({"trained": ModelScorer(recommender, params)}, lambda: recommender.ship(params))
