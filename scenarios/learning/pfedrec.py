"""PFedRec: every phone has a score function and an item table of its own."""

from functools import partial

import numpy as np
import torch

from droidloop.models.evaluation.personal_tables import PersonalScorer, PersonalTables
from droidloop.models.federated.pfedrec import PersonalScore, PFedRec
from droidloop.models.interfaces.learning import ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.scenarios.schema.learning_sections import PFedRecSection

from .evaluator import ModelScorer
from .fedmf import fold_of
from .learning import Federation, Trained
from .mf_parts import sgd_of
from .staleness import lateness
from .task_data import Material


def pfedrec(section: PFedRecSection, material: Material) -> Federation:
    """Return PFedRec as *section* wants it."""
    model, draws = material.scenario.model, material.draws
    recommender = PersonalScore(material.split.n_items, model.dim, model.loss, l2=section.l2)
    client = PFedRec(
        recommender, sgd_of(section), negatives=section.negatives, exclude=material.exclude
    )
    server = fold_of(section, recommender.init(draws.child("init")), lateness(material))
    store = PrivateStore.of(recommender, draws.child("init"), material.split.n_users)
    tables = PersonalTables(recommender.items.name, material.split.n_users)
    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(_look, recommender, server, store, tables),
        ships=False,
        client=client,
        server=server,
        remember=tables.remember,
    )


def _look(
    recommender: PersonalScore, server: ServerRule, store: PrivateStore, tables: PersonalTables
) -> Trained:
    """Return every phone's own score function, on its own table and on the server's."""
    private = store.gather(np.arange(len(store)))
    params = {**server.params, **{name: torch.from_numpy(rows) for name, rows in private.items()}}
    return Trained(
        {
            "trained": PersonalScorer(recommender, params, tables.snapshot()),
            "global table": ModelScorer(recommender, params),
        }
    )
