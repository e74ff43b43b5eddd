"""FedNCF: the server folds item rows and a network, users' vectors stay on the phones."""

from functools import partial
from itertools import pairwise

import numpy as np
import torch

from droidloop.models.federated.fedncf import FedNCF
from droidloop.models.federated.folds import Fold, fed_avg, mf_fed_avg
from droidloop.models.interfaces.learning import Cost, Params, ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.packages.neumf_graph import scoring_neumf
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.schema.learning_sections import FedNCFSection

from .evaluator import ModelScorer
from .learning import Federation, Shipped, Trained
from .staleness import lateness
from .task_data import Material

_SD = 0.1
"""Of the first vectors: plain SGD leaves smaller ones where they are for many rounds."""


def fedncf(section: FedNCFSection, material: Material) -> Federation:
    """Return FedNCF as *section* wants it.

    Raises:
        ScenarioError: the model's loss is not the log loss.
    """
    model, draws = material.scenario.model, material.draws
    if model.loss != "log":
        raise ScenarioError(
            f"model.loss = {model.loss!r}: the rule 'fedncf' trains with the log loss; "
            "leave model.loss out"
        )
    recommender = neumf_of(material)
    rate = section.learning_rate
    client = FedNCF(
        recommender,
        Sgd(rate, rate, section.epochs, section.batch, section.network_rate),
        negatives=section.negatives,
        exclude=material.exclude,
    )
    server = _server(section, recommender, material)
    store = PrivateStore.of(recommender, draws.child("init"), material.split.n_users)
    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=partial(_look, recommender, server, store),
        ships=True,
        client=client,
        server=server,
    )


def neumf_of(material: Material) -> NeuMF:
    """Return NeuMF with the scenario's vectors, and the network of its rule if that has one."""
    n_items, dim = material.split.n_items, material.scenario.model.dim
    section = material.scenario.training
    if isinstance(section, FedNCFSection):
        return NeuMF(n_items, dim, section.mlp_dim, tuple(section.hidden), _SD)
    return NeuMF(n_items, dim, sd=_SD)


def _server(section: FedNCFSection, recommender: NeuMF, material: Material) -> Fold:
    params = recommender.init(material.draws.child("init"))
    late = lateness(material)
    if section.server == "fedavg":
        return fed_avg(params, section.server_step, staleness=late)
    return mf_fed_avg(
        params, recommender.tables, section.row_step, section.server_step, staleness=late
    )


def _look(recommender: NeuMF, server: ServerRule, store: PrivateStore) -> Trained:
    """Return the global table and network, and every user's own vectors, as they are now."""
    private = store.gather(np.arange(len(store)))
    params = server.params | {name: torch.from_numpy(rows) for name, rows in private.items()}
    return Trained(
        {"trained": ModelScorer(recommender, params)}, partial(_ship, recommender, params)
    )


def _ship(recommender: NeuMF, params: Params) -> Shipped:
    """Return the network on the item table as a graph, and the users' vectors that it takes.

    A list takes the product's multiplications, and of each item those of all layers but the
    first, whose items' half is a constant.
    """
    widths, n = recommender.hidden, recommender.n_items
    inner = sum(one * other for one, other in pairwise(widths)) + widths[-1]
    return Shipped(
        scoring_neumf(recommender, params),
        params["user"].numpy(),
        Cost(
            flops=2 * n * (recommender.gmf_dim + widths[0] + inner),
            moved_bytes=4 * n * (recommender.gmf_dim + widths[0] + 2 * sum(widths)),
            ram_bytes=0,
        ),
    )
