"""FedNCF: each phone trains its own user vectors, the item rows that it touches and the network.

Perifanis and Efraimidis, Federated Neural Collaborative Filtering (Knowledge-Based Systems 2022).
Their MF-FedAvg is the server rule ``folds.mf_fed_avg``.
"""

from dataclasses import dataclass, field
from typing import Literal

from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.learning.shared_model import shared_learning
from droidloop.models.local.sgd import Sgd
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, Positive, Section

from .fedmf import FedMF
from .folds import fed_avg, mf_fed_avg


@dataclass(frozen=True)
class FedNCF(FedMF):
    """Client rule of federated neural collaborative filtering: FedMF's, of a network.

    A message holds the change of the touched rows and of all dense parameters. ``sgd.lr_dense`` is
    the step of the network.
    """

    recommender: NeuMF
    sgd: Sgd = field(default_factory=lambda: Sgd(lr_dense=0.005))


class FedNCFSection(Section):
    """Phones train a product and a network; the server averages item rows and the network."""

    learning_rate: Positive = 0.05
    """Of users' and items' vectors."""
    network_rate: Positive = 0.005
    """Of the network, on which every pair of a batch pulls."""
    epochs: Count = 1
    """Passes over the local data in a turn."""
    batch: Count = 256
    """Pairs of a user and an item in a batch."""
    negatives: Count = 4
    """Items drawn for each local item, anew in each turn."""
    server: Literal["mf-fedavg", "fedavg"] = "mf-fedavg"
    """Item rows averaged over the phones that hold them, or over all as the network is."""
    row_step: Positive = 2.0
    """Times the mean change of a row, with ``mf-fedavg``."""
    server_step: Positive = 4.0
    """Times the mean change of everything else."""


def build(section: FedNCFSection, recommender: NeuMF, task: TaskData) -> FederatedLearning:
    """Return FedNCF as *section* wants it."""
    rate, first = section.learning_rate, task.draws.child("init")
    sgd = Sgd(rate, rate, section.epochs, section.batch, section.network_rate)
    params, late = recommender.init(first), task.staleness
    if section.server == "fedavg":
        server = fed_avg(params, section.server_step, staleness=late)
    else:
        server = mf_fed_avg(
            *(params, recommender.items.parameters, section.row_step, section.server_step),
            staleness=late,
        )
    client = FedNCF(recommender, sgd, section.negatives, task.exclude)
    return shared_learning(recommender, task, client, server)


METHOD = Method(
    kind="rule",
    name="fedncf",
    section=FedNCFSection,
    build=build,
    source="Perifanis, Efraimidis: Federated Neural Collaborative Filtering (KBS 2022)",
    gives=frozenset({"server", "sums", "ships"}),
    needs={"recommender": frozenset({"neumf"}), "protocol": frozenset({"server"})},
    usual={"recommender": "neumf"},
)
