"""FedNCF: each phone trains its own user vectors, the item rows that it touches and the network.

Perifanis and Efraimidis, Federated Neural Collaborative Filtering (Knowledge-Based Systems 2022).
Their MF-FedAvg is the server rule ``folds.mf_fed_avg``.
"""

from dataclasses import dataclass, field

from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.recommenders.neumf import NeuMF

from .fedmf import FedMF


@dataclass(frozen=True)
class FedNCF(FedMF):
    """Client rule of federated neural collaborative filtering: FedMF's, of a network.

    A message holds the change of the touched rows and of all dense parameters. ``sgd.lr_dense`` is
    the step of the network.
    """

    recommender: NeuMF
    sgd: Sgd = field(default_factory=lambda: Sgd(lr_dense=0.005))
