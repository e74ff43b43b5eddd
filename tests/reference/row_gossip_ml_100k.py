"""Gossip and groups of matrix factorisation on ml-100k, against popularity.

A method without a server has no published figure under this protocol; the least that it must do is
to recommend better than what is popular. Settings were chosen on validation with seed 11: steps of
0.05 to 1, one or four negatives, rows or tables by age, one, two or four neighbours told in a turn.
What decides is how many are told: with one, 60 turns are not enough.
"""

from tests.reference.beside import beside, lines_beside
from tests.reference.federated import judge_of
from tests.reference.gossiping import Habits, Who, talked
from tests.reference.movielens import ml_100k
from tests.reference.row import Line, Values, at_least

DATA = "ml-100k"
NAME = "gossip-ml-100k"
HABITS, EVERY = Habits(dim=16, step=0.3, fan=4, turns=60), 20
WHO: tuple[Who, ...] = ("anybody", "groups")
LINES = (
    {
        f"{NAME}-{who}-{turn}": Line(f"clean, {who}, {turn} turns", "HR@10")
        for who in WHO
        for turn in range(EVERY, HABITS.turns + 1, EVERY)
    }
    | {
        f"{NAME}-{who}-over-popularity": Line(
            f"clean, {who}, {HABITS.turns} turns less popularity", "HR@10", at_least(0.0)
        )
        for who in WHO
    }
    | {
        f"{NAME}-{who}-over-best": Line(
            f"clean, {who}, {HABITS.turns} turns less the best baseline", "HR@10"
        )
        for who in WHO
    }
    | lines_beside(NAME)
)


def measure(seed: int) -> Values:
    """Return the figures of one seed, by user."""
    split = ml_100k()
    judge = judge_of(split, seed)
    values, best = beside(NAME, judge)
    for who in WHO:
        for turn, found in talked(split, judge, seed, HABITS, who, EVERY):
            values[f"{NAME}-{who}-{turn}"] = found["sampled HR@10"]
        last = values[f"{NAME}-{who}-{HABITS.turns}"]
        values[f"{NAME}-{who}-over-popularity"] = last - values[f"{NAME}-popularity"]
        values[f"{NAME}-{who}-over-best"] = last - best["sampled HR@10"]
    return values
