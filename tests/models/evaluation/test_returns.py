"""Places that users come back to: what is ranked, who is told apart, and what a scorer knows."""

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.split import Part, Split
from droidloop.models.evaluation.candidates import beside_visited, sample_candidates
from droidloop.models.evaluation.evaluator import Evaluator, FunctionScorer, PartScorer, Scorer
from droidloop.models.interfaces.metrics import Metric
from droidloop.models.metrics.hr import hit
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws

N_PLACES = 8


def rows(*items: list[int], start_s: int = 0) -> UserItems:
    counts = [len(one) for one in items]
    times_s = start_s + np.concatenate([np.arange(count) for count in counts]).astype(np.int64)
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    flat = np.array([item for one in items for item in one], np.int64)
    return UserItems(flat, offsets, times_s, np.ones(len(flat)))


# User 0 goes back to place 1, user 1 goes to place 5 for the first time.
SPLIT = Split(
    train=rows([0, 1, 1], [2, 3]),
    valid=rows([2], [4], start_s=100),
    test=rows([1], [5], start_s=200),
    n_items=N_PLACES,
)
HR = Metric("hr", "HR", "ranks", hit).at(3)


def evaluator(returns: bool = True) -> Evaluator:
    drawn = sample_candidates(SPLIT, Draws(1, "candidates"), 2)
    candidates = beside_visited(SPLIT, drawn) if returns else drawn
    return Evaluator(SPLIT, candidates, 3, [HR], HR, returns)


def falling(users: IntArray) -> np.ndarray:
    """Score place 0 highest, place 7 least."""
    return np.tile(-np.arange(N_PLACES, dtype=np.float32), (len(users), 1))


def ranks(returns: bool) -> dict[str, list[int]]:
    judged = evaluator(returns).judged(FunctionScorer(falling))
    return {name: one.ranked.ranks.tolist() for name, one in judged.items() if one.ranked}


def test_all_places_means_all() -> None:
    assert ranks(returns=True)["full"] == [2, 6]
    assert ranks(returns=False)["full"] == [1, 3]


def test_returns_and_first_visits_are_told_apart_and_a_list_of_new_places_has_new_ones_alone() -> (
    None
):
    found = ranks(returns=True)
    assert found["returns"] == [2]
    assert found["first"] == [6]
    assert found["new"] == [3]
    assert ranks(returns=False).keys() == {"sampled", "full"}


def test_a_return_has_the_users_other_places_among_its_rivals() -> None:
    drawn = sample_candidates(SPLIT, Draws(1, "candidates"), 2)
    rivals = evaluator().candidates
    for user in range(2):
        for part in ("valid", "test"):
            known = [one.of(user) for one in SPLIT.known(part)]
            held = SPLIT.held_out(part).of(user)
            wanted = np.setdiff1d(np.concatenate([drawn.of(part).of(user), *known]), held)
            assert rivals.of(part).of(user).tolist() == wanted.tolist()
    assert ranks(returns=True)["sampled"][0] == 2


def test_a_list_holds_places_that_were_visited() -> None:
    listed = evaluator().judged(FunctionScorer(falling))["full"].listed
    assert listed is not None
    assert listed.items.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_the_test_is_asked_with_what_is_known_at_its_moment() -> None:
    asked = []

    def of(part: Part) -> Scorer:
        asked.append((part, SPLIT.history(part).of(0).tolist(), SPLIT.moments(part).tolist()))
        return FunctionScorer(falling)

    some = evaluator()
    some.quality(PartScorer(of), "valid")
    assert asked == [("valid", [0, 1, 1], [100, 100])]
    asked.clear()
    some.judged(PartScorer(of))
    assert {part for part, *_ in asked} == {"test"}
    assert asked[0] == ("test", [0, 1, 1, 2], [200, 200])
