"""FedMF on ml-100k, the protocol of PFedRec (IJCAI 2023, table 2: HR@10 65.15 % is quoted)."""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_100k
from tests.reference.row import Values, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
NAME = "fedmf-ml-100k"
LINES = lines_of(NAME, "global", within(0.03, 0.6515))


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedMF with 32 dimensions, summed loss, 4 new negatives an item and round."""
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import row_average
    from droidloop.models.recommenders.mf import MF

    mf = MF(n_items, 32)
    return Learner(mf, FedMF(mf, exclude=exclude), row_average(mf.init(draws), 2.0))


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    return measured(NAME, "global", ml_100k(), seed, make)
