"""FedNCF on ml-100k with the published start and steps, the protocol of PFedRec (IJCAI 2023).

All weights are drawn as NeuMF does, vectors from N(0, 0.01), and the server takes steps of 1. With
seed 1 it diverged: losses are sums over a batch here, where the authors take means.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import ROUNDS, Learner, best_rounds
from tests.reference.movielens import ml_100k
from tests.reference.row import Bar, Line, Values

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA, NAME = "ml-100k", "fedncf-paper-ml-100k"
LINES = {
    NAME: Line(
        *("pfedrec, published start and steps", "diverges: 1", Bar(0.0, 0.0), "reproduced"),
        because="it diverges with losses that are sums over a batch",
    )
}


def make_paper(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return the same with the first parameters and the steps of the papers."""
    from droidloop.models.federated.fedncf import FedNCF
    from droidloop.models.federated.folds import mf_fed_avg
    from droidloop.models.recommenders.neumf import NeuMF

    model = NeuMF(n_items, 16, 16, (16, 8), sd=0.01, drawn_product=True)
    server = mf_fed_avg(model.init(draws), model.tables, 1.0, 1.0)
    return Learner(model, FedNCF(model, exclude=exclude), server)


def measure(seed: int) -> Values:
    """Return 1 if the model diverges, else 0."""
    try:
        best_rounds(ml_100k(), "pfedrec", seed, make_paper, ROUNDS)
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        return {NAME: 1.0}
    return {NAME: 0.0}
