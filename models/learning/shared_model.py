"""What has been learned where the server has the shared part and phones their users' vectors."""

from typing import Protocol

import numpy as np
import torch

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.interfaces.learning import Recommender, ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.packages.shipped import Ships

from .learning import Snapshot


class Shared(Recommender, Ships, Protocol):
    """A recommender whose shared part ships."""


def shared_snapshot(recommender: Shared, server: ServerRule, store: PrivateStore) -> Snapshot:
    """Return the shared parameters and every user's own ones, as they are now."""
    private = store.gather(np.arange(len(store)))
    params = {**server.params, **{name: torch.from_numpy(rows) for name, rows in private.items()}}
    return Snapshot({"trained": ModelScorer(recommender, params)}, lambda: recommender.ship(params))
