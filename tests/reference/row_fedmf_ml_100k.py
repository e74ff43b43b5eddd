"""FedMF on ml-100k, the protocol of PFedRec (IJCAI 2023, table 2: HR@10 65.15 % is quoted)."""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_100k
from tests.reference.row import at_least

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
LINES = lines_of("fedmf-ml-100k", "global", at_least(0.64))


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedMF with 32 dimensions, summed loss, 4 new negatives an item and round."""
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import row_average
    from droidloop.models.recommenders.mf import MF

    mf = MF(n_items, 32)
    return Learner(mf, FedMF(mf, exclude=exclude), row_average(mf.init(draws), 2.0))


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed."""
    return measured("fedmf-ml-100k", "global", ml_100k(), seed, make)
