"""Gossip of matrix factorisation on check-ins, against phones alone.

Of each user's check-ins the latest is for test, the one before for validation; the test place is
ranked among 99 that the user never visited. What phones tell one another must not cost them what
they know of their own user: quality must not fall with the turns, nor below that of phones alone
with the same step. The step was chosen on validation with seed 11. With that of ml-100k, 0.3,
phones of many returns run away: a place that is visited often is in a batch as often, and gets the
sum of the steps; there HR@10 falls from 0.50 after 10 turns to 0.36 after 40.
"""

from typing import TYPE_CHECKING

from tests.reference.beside import beside, figures, lines_beside
from tests.reference.federated import judge_of
from tests.reference.gossiping import Habits, Who, talked
from tests.reference.movielens import folder
from tests.reference.row import Line, Values, at_least

if TYPE_CHECKING:
    from droidloop.models.data.split import Split
    from droidloop.models.evaluation.evaluator import Scorer

DATA = "foursquare-nyc"
NAME = "gossip-foursquare"
HABITS, EVERY = Habits(dim=8, step=0.1, fan=1, turns=20), 5
WHO: tuple[Who, ...] = ("alone", "anybody")
LINES = (
    {
        f"{NAME}-{who}-{turn}": Line(f"clean, {who}, {turn} turns", "HR@10")
        for who in WHO
        for turn in range(EVERY, HABITS.turns + 1, EVERY)
    }
    | {f"{NAME}-visits": Line("own visits, then what is popular", "HR@10")}
    | lines_beside(NAME)
)
for _who in WHO[1:]:
    _text = f"clean, {_who}, {HABITS.turns} turns"
    LINES |= {
        f"{NAME}-{_who}-rise": Line(f"{_text} less {EVERY} turns", "HR@10", at_least(0.0)),
        f"{NAME}-{_who}-over-alone": Line(
            *(f"{_text} less alone", "HR@10", at_least(0.0)), because="phones alone are as good"
        ),
        f"{NAME}-{_who}-over-popularity": Line(f"{_text} less popularity", "HR@10", at_least(0.0)),
        f"{NAME}-{_who}-over-visits": Line(
            *(f"{_text} less own visits", "HR@10", at_least(0.0)),
            because="counting own visits is better",
        ),
    }


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    split, figure = check_ins(), "sampled HR@10"
    judge = judge_of(split, seed)
    values, _ = beside(NAME, judge)
    values[f"{NAME}-visits"] = figures(judge, visits(split))[figure]
    for who in WHO:
        for turn, found in talked(split, judge, seed, HABITS, who, EVERY):
            values[f"{NAME}-{who}-{turn}"] = found[figure]
    for who in WHO[1:]:
        last = values[f"{NAME}-{who}-{HABITS.turns}"]
        values[f"{NAME}-{who}-rise"] = last - values[f"{NAME}-{who}-{EVERY}"]
        values[f"{NAME}-{who}-over-alone"] = last - values[f"{NAME}-alone-{HABITS.turns}"]
        for other in ("popularity", "visits"):
            values[f"{NAME}-{who}-over-{other}"] = last - values[f"{NAME}-{other}"]
    return values


def check_ins() -> "Split":
    """Return foursquare-nyc: latest check-in test, second latest validation, the rest train."""
    from droidloop.models.data.foursquare import load_check_ins
    from droidloop.models.data.split import leave_one_out

    return leave_one_out(load_check_ins(folder("foursquare-nyc"))[0])


def visits(split: "Split") -> "Scorer":
    """Return what ranks by how often a user was there, and those of one number by popularity."""
    import numpy as np

    from droidloop.models.evaluation.evaluator import FunctionScorer
    from droidloop.platform.arrays import IntArray

    popular = np.bincount(split.train.items, minlength=split.n_items) / len(split.train.items)

    def score(users: IntArray) -> np.ndarray:
        mine = split.train.take(users)
        own = np.tile(popular, (len(users), 1))
        np.add.at(own, (np.repeat(np.arange(len(users)), mine.counts), mine.items), 1.0)
        return own.astype(np.float32)

    return FunctionScorer(score)
