"""Evaluation of a scorer on a split."""

from typing import Any

import numpy as np
import pytest

from droidloop.models.data.interactions import Interactions, UserItems, union
from droidloop.models.data.split import Part, Split, leave_one_out, ratio
from droidloop.models.data.synthetic import generate
from droidloop.models.evaluation.candidates import Candidates, sample_candidates
from droidloop.models.evaluation.evaluate import evaluate, on_candidates
from droidloop.models.evaluation.metrics import Scores, UserMetrics
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError

DATA = generate(120, 400, 25, Draws(1, "data"))
SPLITS = {"one": leave_one_out(DATA), "several": ratio(DATA, Draws(1, "split"), (0.6, 0.2, 0.2))}


def scores(users: IntArray) -> Scores:
    """Random scores in coarse steps, so that many are equal."""
    uniform = Draws(1, "scores").uniform(users[:, None], np.arange(400))
    return np.floor(uniform * 50).astype(np.float32)


def same(one: UserMetrics, other: UserMetrics) -> bool:
    return np.array_equal(one.users, other.users) and all(
        np.array_equal(one.values[name], other.values[name]) for name in one.values
    )


def complement(split: Split) -> UserItems:
    seen = union(split.train, split.valid, split.test)
    rows = [np.setdiff1d(np.arange(400), seen.of(user)) for user in range(split.n_users)]
    return UserItems.bare(np.concatenate(rows), np.cumsum([0, *(len(row) for row in rows)]))


@pytest.mark.parametrize("name", SPLITS)
def test_sampled_equals_full_ranking_when_the_candidates_are_all_unseen_items(name: str) -> None:
    split = SPLITS[name]
    rest = complement(split)
    sampled = evaluate(on_candidates(scores), split, Candidates(rest, rest))
    assert same(evaluate(scores, split), sampled)


@pytest.mark.parametrize("batch", [1, 7, 120])
@pytest.mark.parametrize("name", SPLITS)
def test_the_size_of_a_batch_changes_nothing(name: str, batch: int) -> None:
    split = SPLITS[name]
    drawn = sample_candidates(split, Draws(1, "candidates"))
    assert same(evaluate(scores, split), evaluate(scores, split, batch=batch))
    few = evaluate(on_candidates(scores), split, drawn, batch=batch)
    assert same(evaluate(on_candidates(scores), split, drawn), few)


def test_renumbering_the_users_permutes_their_values() -> None:
    new = Draws(1, "permutation").order(np.arange(120), 0)
    moved = Interactions(
        new[DATA.users], DATA.items, DATA.ratings, DATA.times_s, DATA.user_labels, DATA.item_labels
    )
    old_of = np.argsort(new)
    before = evaluate(scores, SPLITS["one"])
    after = evaluate(lambda users: scores(old_of[users]), leave_one_out(moved))
    for name in before.values:
        assert np.array_equal(after.values[name], before.values[name][old_of])


@pytest.mark.parametrize("part", ["valid", "test"])
def test_what_the_user_is_known_to_have_is_not_ranked(part: Part) -> None:
    """A scorer that likes the known items best and the held-out one next is perfect."""
    split = SPLITS["one"]

    def oracle(users: IntArray) -> Scores:
        table = np.zeros((len(users), 400), np.float32)
        for row, user in enumerate(users):
            for known in split.known(part):
                table[row, known.of(user)] = 2
            table[row, split.held_out(part).of(user)] = 1
        return table

    means = evaluate(oracle, split, k=1, part=part).means()
    assert means == {"hr_at_1": 1.0, "ndcg_at_1": 1.0, "recall_at_1": 1.0}


def test_in_validation_the_test_item_is_a_rival_like_any_other() -> None:
    split = SPLITS["one"]

    def likes_test(users: IntArray) -> Scores:
        table = np.zeros((len(users), 400), np.float32)
        table[np.arange(len(users)), split.test.items[users]] = 2
        table[np.arange(len(users)), split.valid.items[users]] = 1
        return table

    assert evaluate(likes_test, split, k=1, part="valid").means()["hr_at_1"] == 0
    assert evaluate(likes_test, split, k=2, part="valid").means()["hr_at_2"] == 1


def of_one_user(items: list[int]) -> Split:
    n = len(items)
    data = Interactions(
        np.zeros(n, np.int64),
        np.array(items),
        np.ones(n),
        np.arange(n),
        np.arange(1),
        np.arange(5),
    )
    return leave_one_out(data)


def test_an_item_that_is_held_out_and_known_is_ranked() -> None:
    split = of_one_user([1, 2, 3, 1])
    table = np.array([[0, 5, 9, 9, 7]], np.float32)
    means = evaluate(lambda users: table, split, k=2).means()
    assert means["ndcg_at_2"] == 1 / np.log2(3)


def test_equal_scores_count_against_the_held_out_item_unless_strict() -> None:
    constant = np.zeros((1, 5), np.float32)
    split = of_one_user([0, 1, 2])
    for strict, hit in ((False, 0.0), (True, 1.0)):
        found = evaluate(lambda users: constant, split, k=2, strict=strict)
        assert found.means()["hr_at_2"] == hit


def test_only_users_with_held_out_events_are_evaluated() -> None:
    users = np.array([0, 0, 1, 1, 1])
    data = Interactions(users, np.arange(5), np.ones(5), np.arange(5), np.arange(2), np.arange(5))
    found = evaluate(lambda users: np.zeros((len(users), 5), np.float32), leave_one_out(data))
    assert found.users.tolist() == [1]


def test_a_split_with_nothing_held_out_is_told() -> None:
    with pytest.raises(DataError, match="no user has an event in the test part; use users"):
        evaluate(scores, of_one_user([1, 2]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((2, 5), np.float32), r"scores have shape \(2, 5\) where \(1, 5\) is needed"),
        (np.full((1, 5), np.nan, np.float32), "contain NaN; the model diverged"),
    ],
)
def test_scores_that_cannot_be_ranked_are_refused(wrong: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(lambda users: wrong, of_one_user([1, 2, 3]))
