"""FedNCF on ml-100k with the published start and steps, the protocol of PFedRec (IJCAI 2023).

All weights are drawn as NeuMF does, vectors from N(0, 0.01), and the server takes steps of 1.
Losses are sums over a batch here, where the authors take means; with seed 1 it diverges. A run
that does counts with its best validation round before.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import ROUNDS, Learner, best_rounds
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, Values, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA, NAME = "ml-100k", "fedncf-paper-ml-100k"
SETTING = "pfedrec, published start and steps"
LINES = {
    NAME: Line(
        *(SETTING, "HR@10", within(0.03, 0.6062), "reproduced"),
        because="a seed in three diverges and the others stay below",
    ),
    f"{NAME}-diverged": Line(SETTING, "1: diverged"),
    f"{NAME}-rounds": Line(SETTING, "rounds that it had"),
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
    """Return the figures of one seed, HR@10 by user."""
    ended: list[int] = []
    found = best_rounds(ml_100k(), "pfedrec", seed, make_paper, ROUNDS, ended)
    return {
        NAME: found["global"]["sampled HR@10"],
        f"{NAME}-diverged": float(len(ended)),
        f"{NAME}-rounds": float(ended[0] if ended else ROUNDS),
    }
