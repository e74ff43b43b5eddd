"""PFedRec on ml-1m, its own protocol (IJCAI 2023, table 2: HR@10 73.26 %, 5 runs)."""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_1m
from tests.reference.row import Values, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-1m"
LINES = lines_of("pfedrec-ml-1m", "own", within(0.03, 0.7326))


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return PFedRec with 32 dimensions, summed loss, 4 new negatives an item and round."""
    from droidloop.models.federated.folds import row_average
    from droidloop.models.federated.pfedrec import PFedRec
    from droidloop.models.recommenders.personal_score import PersonalScore

    model = PersonalScore(n_items, 32)
    return Learner(model, PFedRec(model, exclude=exclude), row_average(model.init(draws), 2.0))


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    return measured("pfedrec-ml-1m", "own", ml_1m(), seed, make)
