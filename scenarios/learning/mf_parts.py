"""What the rules on matrix factorisation share."""

from functools import partial

import numpy as np
import torch

from droidloop.models.interfaces.learning import Params, ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.packages.exportable import scoring
from droidloop.models.recommenders.mf import MF
from droidloop.scenarios.schema.learning_sections import LocalTraining

from .evaluator import ModelScorer
from .learning import Shipped, Trained
from .task_data import Material


def mf_of(material: Material, l2: float = 0.0) -> MF:
    """Return matrix factorisation as the scenario's model."""
    model = material.scenario.model
    return MF(material.split.n_items, model.dim, model.loss, l2=l2)


def sgd_of(section: LocalTraining) -> Sgd:
    """Return the steps of *section*."""
    return Sgd(section.learning_rate, section.learning_rate, section.epochs, section.batch)


def look_at_mf(recommender: MF, server: ServerRule, store: PrivateStore) -> Trained:
    """Return the global table and every user's own vector, as they are now."""
    private = store.gather(np.arange(len(store)))
    params: Params = {
        **server.params,
        **{name: torch.from_numpy(rows) for name, rows in private.items()},
    }
    return Trained(
        {"trained": ModelScorer(recommender, params)}, partial(ship_mf, recommender, params)
    )


def ship_mf(recommender: MF, params: Params) -> Shipped:
    """Return the item table as a graph, and the users' vectors that it takes."""
    return Shipped(scoring(params[recommender.items.name].numpy()), params["user"].numpy())
