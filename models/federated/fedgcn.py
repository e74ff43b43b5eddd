"""Federated LightGCN: each phone trains its user vector and item rows through its own ego graph.

A graph of the user and the user's items, as in Wu et al., FedPerGNN (Nature Communications 2022)
without neighbours and in PerFedRec (Luo et al., CIKM 2022). The server sees what it sees of FedMF.
"""

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.cluster_scorer import ClusterScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.graphs.ego_graphs import ego_vectors
from droidloop.models.interfaces.learning import (
    Cohort,
    Cost,
    ServerRule,
)
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning, Snapshot
from droidloop.models.local.cohort import Engine
from droidloop.models.local.ego_cohort import EgoTraining, train_on_own_graphs
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.local.sgd import Sgd
from droidloop.models.packages.exportable import scoring_table
from droidloop.models.packages.shipped import Shipped
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.float_rows import every_vector
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, CountOrNone, Positive

from .folds import row_average
from .uploads import keep_finite, messages_of, task_of, upload_of


@dataclass(frozen=True)
class FedLightGCN:
    """Client rule of LightGCN on ego graphs; without layers it trains what FedMF trains.

    Attributes:
        recommender: MF: the parameters, the loss and the regulariser.
        layers: of LightGCN.
        sgd: steps, local epochs and batch.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data of the step.
        item_users: how many users each item is taken to have, one number for all items, as neither
            phones nor server know any item's own. With 1, as if the phone alone had it, what a
            user has scores high for being connected alone, and the loss has little left to teach.
        engine: ``numba``, the compiled kernel where every item has a row of its own, or ``torch``.
        threads: of the kernels; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    layers: int = 1
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    item_users: int = 50
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.layers < 0 or self.negatives < 1:
            raise ValueError(f"{self.layers} layers and {self.negatives} negatives teach nothing")
        if self.item_users < 1:
            raise ValueError(f"{self.item_users} users of an item: at least the phone's own has it")

    @property
    def kind(self) -> str:
        """What is sent: changes of rows."""
        return "delta"

    @property
    def degrees(self) -> IntArray:
        """By item, how many users it is taken to have."""
        return np.full(self.recommender.n_items, self.item_users)

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train ``user`` and the touched rows of the received table; return their changes.

        A phone whose training ends in NaN or infinity keeps its old user vector; its upload shows
        what happened, and server rules refuse it. Weights are the numbers of local items.

        Raises:
            ValueError: the inbox is not one table, *data* not one row a phone, or items are
                unknown.
        """
        shared, base, examples = task_of(self, cohort, inbox, data, draws)
        private = {"user": np.array(cohort.private["user"], np.float32)}
        training = EgoTraining(self.recommender, self.layers, self.sgd, self.degrees)
        changes = train_on_own_graphs(
            *(training, shared, private, examples, self.engine, self.threads)
        )
        keep_finite(cohort, private)
        named = upload_of(changes, shared, "delta", False, self.sgd)
        return messages_of(self, cohort, data, base, "delta", named)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone: that of MF and, a batch, the propagation.

        Forward and back, in each layer, of each edge and side 3 dim flops and a row of 4 dim
        bytes; of each row of the graph 3 dim flops and 8 dim bytes more. The rows are those of
        the items and, at most, their negatives; in memory are the vectors, the slopes and room
        for a layer.
        """
        model, pairs = self.recommender, data.counts * (1 + self.negatives)
        once, trained = model.cost(pairs), model.cost(pairs * self.sgd.epochs)
        batches = self.sgd.epochs * -(-data.counts // self.sgd.group(self.negatives))
        passes = 2 * self.layers * batches
        rows = 1 + np.minimum(pairs, model.n_items)
        edges = 2 * data.counts
        return Cost(
            flops=trained.flops + passes * 3 * (edges + rows) * model.dim,
            moved_bytes=trained.moved_bytes + passes * 4 * (edges + 2 * rows) * model.dim,
            ram_bytes=once.ram_bytes + 12 * rows * model.dim + 4 * edges,
            operators=self.sgd.operators(data.counts, self.negatives),
        )


class GraphSection(LocalTraining):
    """Each phone propagates on the graph of its user and the user's items: federated LightGCN."""

    learning_rate: Positive = 0.1
    """Larger than in fedmf: the mean of the layers makes gradients smaller."""
    layers: CountOrNone = 1
    """How often vectors are passed on."""
    item_users: Count = 50
    """How many users each item is taken to have: of single items neither phone nor server know."""
    server_step: Positive = 2.0
    """Times the mean change of a row."""


def client_of(section: GraphSection, recommender: MF, task: TaskData) -> FedLightGCN:
    """Return what phones do."""
    return FedLightGCN(
        recommender,
        section.layers,
        section.sgd,
        negatives=section.negatives,
        exclude=task.exclude,
        item_users=section.item_users,
    )


def build(section: GraphSection, recommender: MF, task: TaskData) -> FederatedLearning:
    """Return LightGCN on ego graphs as *section* wants it, with an average of rows."""
    client, first = client_of(section, recommender, task), task.draws.child("init")
    params = recommender.init(first)
    server = row_average(params, section.server_step, staleness=task.staleness)
    store = PrivateStore.of(recommender, first, task.split.n_users)
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=partial(_snapshot, client, server, store, task.split.train),
        client=client,
        server=server,
    )


def _snapshot(
    client: FedLightGCN, server: ServerRule, store: PrivateStore, train: UserItems
) -> Snapshot:
    """Return the vectors of users and items after propagation, as they are now."""
    table = every_vector(client.recommender.items, server.params)
    user = store.gather(np.arange(len(store)))["user"]
    users, items = ego_vectors(train, user, table, client.layers, client.degrees)
    everybody = ClusterScorer(users, np.zeros(len(users), np.int64), items[None])

    def ship() -> Shipped:
        # an item that nobody on the phone has is its vector over the layers: users bear that here
        graph = scoring_table(client.recommender.items, server.params)
        return Shipped(graph, users / np.float32(client.layers + 1))

    return Snapshot({"trained": everybody}, ship)


METHOD = Method(
    kind="rule",
    name="fedgcn",
    section=GraphSection,
    build=build,
    source="He et al.: LightGCN (SIGIR 2020), on ego graphs as in Wu et al.: FedPerGNN (2022)",
    gives=frozenset({"server", "sums", "ships"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"server"})},
)
