"""PFedRec on ml-100k, its own protocol (IJCAI 2023; HR@10 71.62 % is recalled).

Beside the figures of every federated row: its lead over FedMF with the global table, as the paper
compares them, and what is left of it with another user's item table or score function.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import PROTOCOLS, Learner, best_rounds, lines_of, values_of
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, at_least

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
NAME = "pfedrec-ml-100k"
LINES = lines_of(NAME, "own", at_least(0.70))
for _part, _text in PROTOCOLS.values():
    LINES[f"{NAME}{_part}-lead"] = Line(f"{_text}, own table less FedMF's global", "HR@10")
    LINES[f"{NAME}{_part}-other-table"] = Line(f"{_text}, table of another user", "HR@10")
    LINES[f"{NAME}{_part}-other-score"] = Line(f"{_text}, score function of another", "HR@10")
LINES[f"{NAME}-lead"] = Line(LINES[f"{NAME}-lead"].protocol, "HR@10", at_least(0.03))


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return PFedRec with 32 dimensions, summed loss, 4 new negatives an item and round."""
    from droidloop.models.federated.folds import row_average
    from droidloop.models.federated.pfedrec import PFedRec
    from droidloop.models.recommenders.personal_score import PersonalScore

    model = PersonalScore(n_items, 32)
    return Learner(model, PFedRec(model, exclude=exclude), row_average(model.init(draws), 2.0))


def measure(seed: int) -> dict[str, float]:
    """Return the figures of one seed; FedMF of the same seed for the lead."""
    from .row_fedmf_ml_100k import make as make_fedmf

    split = ml_100k()
    values: dict[str, float] = {}
    for protocol, (part, _) in PROTOCOLS.items():
        best = best_rounds(split, protocol, seed, make)
        values |= values_of(NAME, "own", protocol, best)
        fedmf = best_rounds(split, protocol, seed, make_fedmf)["global"]["sampled HR@10"]
        values[f"{NAME}{part}-lead"] = best["own"]["sampled HR@10"] - fedmf
        for other in ("table", "score"):
            values[f"{NAME}{part}-other-{other}"] = best[f"other {other}"]["sampled HR@10"]
    return values
