"""FedMF and PFedRec on ml-100k, the protocol of PFedRec (IJCAI 2023).

HR@10 65.15 % (FedMF) is quoted, 71.62 % (PFedRec) is recalled. The paper compares PFedRec with the
table that each phone trained itself with FedMF with the server's. Beside that stand like with like,
own table with own table and global with global, and what is left of PFedRec with another user's
item table or score function.
"""

from typing import TYPE_CHECKING

from tests.reference.federated import (
    PROTOCOLS,
    Learner,
    best_rounds,
    compared,
    lines_of,
    values_of,
)
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, Values, at_least, within

if TYPE_CHECKING:
    from droidloop.models.data.interactions import UserItems
    from droidloop.platform.arrays import FloatArray
    from droidloop.platform.draws import Draws

DATA = "ml-100k"
FEDMF, NAME = "fedmf-ml-100k", "pfedrec-ml-100k"
PAIRS = {"own": ("own", "own"), "global": ("global", "global"), "paper": ("own", "global")}
"""Which tables of PFedRec and of FedMF are compared."""
AS_GOOD = "FedMF with the same table is as good"
LEAK = "a phone's own table learns which items are never a negative"
BECAUSE = {"own": AS_GOOD, "global": AS_GOOD, "paper": "", "-clean-paper": LEAK}
LINES = lines_of(FEDMF, "global", within(0.03, 0.6515))
LINES |= lines_of(NAME, "own", within(0.03, 0.7162))
for _part, _text in PROTOCOLS.values():
    for _pair, (_ours, _theirs) in PAIRS.items():
        LINES[f"{NAME}{_part}-lead-{_pair}"] = Line(
            *(f"{_text}, {_ours} table less FedMF's {_theirs}", "HR@10", at_least(0.0)),
            because=BECAUSE.get(f"{_part}-{_pair}", BECAUSE[_pair]),
        )
    LINES[f"{NAME}{_part}-other-table"] = Line(f"{_text}, table of another user", "HR@10")
    LINES[f"{NAME}{_part}-other-score"] = Line(f"{_text}, score function of another", "HR@10")


def make(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return PFedRec with 32 dimensions, summed loss, 4 new negatives an item and round."""
    from droidloop.models.federated.folds import row_average
    from droidloop.models.federated.pfedrec import PFedRec
    from droidloop.models.recommenders.personal_score import PersonalScore

    model = PersonalScore(n_items, 32)
    return Learner(model, PFedRec(model, exclude=exclude), row_average(model.init(draws), 2.0))


def make_fedmf(n_items: int, exclude: "UserItems", draws: "Draws") -> Learner:
    """Return FedMF of the same size, trained alike."""
    from droidloop.models.federated.fedmf import FedMF
    from droidloop.models.federated.folds import row_average
    from droidloop.models.recommenders.mf import MF

    mf = MF(n_items, 32)
    return Learner(mf, FedMF(mf, exclude=exclude), row_average(mf.init(draws), 2.0))


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    split, figure = ml_100k(), "sampled HR@10"
    values: dict[str, FloatArray] = {}
    for protocol, (part, _) in PROTOCOLS.items():
        best = best_rounds(split, protocol, seed, make)
        values |= values_of(NAME, "own", protocol, best)
        fedmf = best_rounds(split, protocol, seed, make_fedmf)
        values |= values_of(FEDMF, "global", protocol, fedmf)
        for pair, (ours, theirs) in PAIRS.items():
            values[f"{NAME}{part}-lead-{pair}"] = best[ours][figure] - fedmf[theirs][figure]
        for other in ("table", "score"):
            values[f"{NAME}{part}-other-{other}"] = best[f"other {other}"][figure]
    for name in (FEDMF, NAME):
        values |= compared(name, split, seed, values)
    return values
