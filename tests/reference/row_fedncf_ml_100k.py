"""FedNCF on ml-100k, the protocol of PFedRec (IJCAI 2023; HR@10 60.62 % is quoted).

The product's weights start at 1 and vectors at N(0, 0.1), and the server takes twice the mean
change of a row and four times that of the network. The published start and steps have a row of
their own.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_100k
from tests.reference.row import Values, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
OURS = "fedncf-ml-100k"
LINES = lines_of(
    *(OURS, "global", within(0.03, 0.6062)), because="with our start and steps it is better"
)


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedNCF with vectors of 16 + 16, layers of 16 and 8, and MF-FedAvg."""
    from droidloop.models.federated.fedncf import FedNCF
    from droidloop.models.federated.folds import mf_fed_avg
    from droidloop.models.recommenders.neumf import NeuMF

    model = NeuMF(n_items, 16, 16, (16, 8), sd=0.1)
    server = mf_fed_avg(model.init(draws), model.tables)
    return Learner(model, FedNCF(model, exclude=exclude), server)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    return measured(OURS, "global", ml_100k(), seed, make)
