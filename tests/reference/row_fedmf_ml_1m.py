"""FedMF on ml-1m, the protocol of PFedRec (IJCAI 2023, table 2: HR@10 67.72 %, 5 runs)."""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_1m
from tests.reference.row import Values, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-1m"
LINES = lines_of("fedmf-ml-1m", "global", within(0.03, 0.6772))


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedMF with 32 dimensions, summed loss, 4 new negatives an item and round."""
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import row_average
    from droidloop.models.recommenders.mf import MF

    mf = MF(n_items, 32)
    return Learner(mf, FedMF(mf, exclude=exclude), row_average(mf.init(draws), 2.0))


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    return measured("fedmf-ml-1m", "global", ml_1m(), seed, make)
