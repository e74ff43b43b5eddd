"""FedNCF on ml-100k, the protocol of PFedRec (IJCAI 2023; HR@10 60.62 % is quoted)."""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_100k
from tests.reference.row import at_least

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
LINES = lines_of("fedncf-ml-100k", "global", at_least(0.59))


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedNCF with vectors of 16 + 16, layers of 16 and 8, and MF-FedAvg."""
    from droidloop.models.federated.fedncf import FedNCF
    from droidloop.models.federated.folds import mf_fed_avg
    from droidloop.models.recommenders.neumf import NeuMF

    model = NeuMF(n_items, 16, 16, (16, 8), sd=0.1)
    server = mf_fed_avg(model.init(draws), model.tables)
    return Learner(model, FedNCF(model, exclude=exclude), server)


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    return measured("fedncf-ml-100k", "global", ml_100k(), seed, make)
