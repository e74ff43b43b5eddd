"""PerFedRec does not work here, because its clusters' models alone are as good as the mixture.

On ml-100k (row ``perfedrec-ml-100k``). A model for all, one for each cluster of users, and each
phone's own, mixed.

Luo et al., Personalized Federated Recommendation via Joint Representation Learning, User
Clustering, and Model Adaptation (CIKM 2022).
"""

from functools import partial

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning, Snapshot
from droidloop.models.numerics.kmeans import by_cluster_size
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Count

from .fedgcn import GraphSection, client_of
from .folds import row_average
from .perfedrec_rules import ClusterServer, PerFedRec
from .perfedrec_scorers import mixture


class PerFedRecSection(GraphSection):
    """Does not work here, because clusters alone are as good: models of all, cluster and own."""

    clusters: Count = 5
    """Of users by their vectors."""


def build(section: PerFedRecSection, recommender: MF, task: TaskData) -> FederatedLearning:
    """Return PerFedRec as *section* wants it: half of a round's clients by their cluster's size."""
    client, draws = PerFedRec(client_of(section, recommender, task)), task.draws
    server = ClusterServer(
        recommender.init(draws.child("init")),
        partial(row_average, step=section.server_step, staleness=task.staleness),
        n_phones=task.split.n_users,
        dim=recommender.dim,
        clusters=section.clusters,
        draws=draws.child("clusters"),
    )
    store = PrivateStore.of(recommender, draws.child("init"), task.split.n_users)
    own = draws.child("own")
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=draws.child("training"),
        snapshot=lambda: Snapshot({**mixture(client, server, store, task.split.train, own)}),
        client=client,
        server=server,
        choose=partial(_choose, server, draws.child("clients")),
    )


def _choose(
    server: ClusterServer, draws: Draws, able: IntArray, clients: int, round_: int
) -> IntArray:
    return by_cluster_size(able, server.labels, clients, draws, round_)


METHOD = Method(
    kind="rule",
    name="perfedrec",
    section=PerFedRecSection,
    build=build,
    source="Luo et al.: Personalized Federated Recommendation (CIKM 2022)",
    gives=frozenset({"server"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"server"})},
)
