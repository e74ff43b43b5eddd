"""FedNCF on ml-100k, the protocol of PFedRec (IJCAI 2023; HR@10 60.62 % is quoted).

``fedncf`` is ours: the product's weights start at 1 and vectors at N(0, 0.1), and the server takes
twice the mean change of a row and four times that of the network. ``fedncf-paper`` starts as NeuMF
does, with all weights drawn and vectors from N(0, 0.01), and takes steps of 1.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import Learner, lines_of, measured
from tests.reference.movielens import ml_100k
from tests.reference.row import Values, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
OURS, PAPER = "fedncf-ml-100k", "fedncf-paper-ml-100k"
LINES = {
    **lines_of(
        *(OURS, "global", within(0.03, 0.6062)), because="with our start and steps it is better"
    ),
    **lines_of(PAPER, "global", within(0.03, 0.6062)),
}


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedNCF with vectors of 16 + 16, layers of 16 and 8, and MF-FedAvg."""
    from droidloop.models.federated.fedncf import FedNCF
    from droidloop.models.federated.folds import mf_fed_avg
    from droidloop.models.recommenders.neumf import NeuMF

    model = NeuMF(n_items, 16, 16, (16, 8), sd=0.1)
    server = mf_fed_avg(model.init(draws), model.tables)
    return Learner(model, FedNCF(model, exclude=exclude), server)


def make_paper(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return the same with the first parameters and the steps of the papers."""
    from droidloop.models.federated.fedncf import FedNCF
    from droidloop.models.federated.folds import mf_fed_avg
    from droidloop.models.recommenders.neumf import NeuMF

    model = NeuMF(n_items, 16, 16, (16, 8), sd=0.01, drawn_product=True)
    server = mf_fed_avg(model.init(draws), model.tables, 1.0, 1.0)
    return Learner(model, FedNCF(model, exclude=exclude), server)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    split = ml_100k()
    return {
        **measured(OURS, "global", split, seed, make),
        **measured(PAPER, "global", split, seed, make_paper),
    }
