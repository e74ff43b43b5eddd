"""Rules on ego graphs: federated LightGCN, and PerFedRec with its clusters."""

from functools import partial

import numpy as np

from droidloop.models.federated.fedgcn import FedLightGCN
from droidloop.models.federated.folds import row_average
from droidloop.models.federated.perfedrec import ClusterServer, PerFedRec
from droidloop.models.federated.perfedrec_scorers import ClusterScorer, mixture
from droidloop.models.graphs.ego_graphs import ego_vectors
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.numerics.kmeans import by_cluster_size
from droidloop.models.packages.exportable import scoring
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.scenarios.schema.learning_sections import GraphSection, PerFedRecSection

from .learning import Federation, Shipped, Trained
from .mf_parts import mf_of, sgd_of
from .staleness import lateness
from .task_data import Material


def fedgcn(section: GraphSection, material: Material) -> Federation:
    """Return LightGCN on ego graphs as *section* wants it, with an average of rows."""
    client = _client(section, material)
    recommender, first = client.recommender, material.draws.child("init")
    server = row_average(recommender.init(first), section.server_step, staleness=lateness(material))
    store = PrivateStore.of(recommender, first, material.split.n_users)

    def look() -> Trained:
        [table] = server.params.values()
        user = store.gather(np.arange(len(store)))["user"]
        users, items = ego_vectors(
            material.split.train, user, table.numpy(), client.layers, client.degrees
        )
        nobody = np.zeros(len(users), np.int64)
        return Trained(
            {"trained": ClusterScorer(users, nobody, items[None])},
            lambda: Shipped(scoring(items), users),
        )

    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=material.draws.child("training"),
        look=look,
        ships=True,
        client=client,
        server=server,
    )


def perfedrec(section: PerFedRecSection, material: Material) -> Federation:
    """Return PerFedRec as *section* wants it: half of a round's clients by their cluster's size."""
    client = PerFedRec(_client(section, material))
    recommender, draws = client.inner.recommender, material.draws
    server = ClusterServer(
        recommender.init(draws.child("init")),
        partial(row_average, step=section.server_step, staleness=lateness(material)),
        n_phones=material.split.n_users,
        clusters=section.clusters,
        draws=draws.child("clusters"),
    )
    store = PrivateStore.of(recommender, draws.child("init"), material.split.n_users)
    own = draws.child("own")
    return Federation(
        recommender=recommender,
        store=store,
        data=material.split.train,
        draws=draws.child("training"),
        look=lambda: Trained({**mixture(client, server, store, material.split.train, own)}),
        ships=False,
        client=client,
        server=server,
        choose=partial(_choose, server, draws.child("clients")),
    )


def _client(section: GraphSection, material: Material) -> FedLightGCN:
    return FedLightGCN(
        mf_of(material, section.l2),
        section.layers,
        sgd_of(section),
        negatives=section.negatives,
        exclude=material.exclude,
        degrees=_degrees(material),
    )


def _degrees(material: Material) -> IntArray:
    """Return how many users have each item: known to all, as a catalogue's counts are."""
    split = material.split
    return np.bincount(split.train.items, minlength=split.n_items)


def _choose(
    server: ClusterServer, draws: Draws, able: IntArray, clients: int, round_: int
) -> IntArray:
    return by_cluster_size(able, server.labels, clients, draws, round_)
