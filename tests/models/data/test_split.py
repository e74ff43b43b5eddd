"""Splits: each event in one part, and which."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.data.interactions import Interactions
from droidloop.models.data.readers import Columns, load, load_flags
from droidloop.models.data.split import Split, leave_one_out, ratio
from droidloop.models.data.synthetic import generate
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError

DRAWS = Draws(3, "split")
RULES: dict[str, Callable[[Interactions], Split]] = {
    "leave_one_out": leave_one_out,
    "ratio": lambda data: ratio(data, DRAWS),
}


def events(users: list[int], times_s: list[int]) -> Interactions:
    """One item for each event, so that an item tells the row it came from."""
    n = len(users)
    return Interactions(
        np.array(users, np.int64),
        np.arange(n),
        np.ones(n),
        np.array(times_s, np.int64),
        np.arange(max(users) + 1),
        np.arange(n),
    )


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None)  # the first call compiles
@given(rows=st.lists(st.tuples(st.integers(0, 5), st.integers(-1, 9)), min_size=1, max_size=60))
def test_every_event_is_in_one_part_under_its_own_user(
    rule: str, rows: list[tuple[int, int]]
) -> None:
    data = events([row[0] for row in rows], [row[1] for row in rows])
    split = RULES[rule](data)
    for user in range(data.n_users):
        parts = [part.of(user).tolist() for part in (split.train, split.valid, split.test)]
        assert (
            sorted(item for part in parts for item in part)
            == np.flatnonzero(data.users == user).tolist()
        )


@pytest.mark.parametrize("rule", RULES)
def test_times_and_ratings_stay_with_their_events(rule: str) -> None:
    data = generate(50, 200, 20, Draws(1, "data"))
    known = set(zip(data.users, data.items, data.times_s, data.ratings, strict=True))
    split = RULES[rule](data)
    for part in (split.train, split.valid, split.test):
        users = np.repeat(np.arange(data.n_users), part.counts)
        assert set(zip(users, part.items, part.times_s, part.ratings, strict=True)) <= known


def test_the_latest_event_is_test_and_the_second_latest_validation() -> None:
    split = leave_one_out(events([0, 0, 0, 0], [5, 9, 1, 7]))
    assert split.test.items.tolist() == [1]
    assert split.valid.items.tolist() == [3]
    assert split.train.items.tolist() == [2, 0]


def test_of_events_in_one_second_the_first_of_the_file_is_test() -> None:
    split = leave_one_out(events([0, 0, 0], [5, 5, 5]))
    assert [part.items.tolist() for part in (split.train, split.valid, split.test)] == [
        [2],
        [1],
        [0],
    ]


def test_users_with_fewer_than_three_events_keep_all_in_training() -> None:
    split = leave_one_out(events([0, 0, 1, 1, 1, 2], [1, 2, 1, 2, 3, 1]))
    assert split.train.counts.tolist() == [2, 1, 1]
    assert split.valid.counts.tolist() == [0, 1, 0]
    assert split.test.counts.tolist() == [0, 1, 0]


def test_marked_events_are_test_and_the_latest_other_is_validation() -> None:
    data = events([0, 0, 0, 0, 1, 1, 1, 2, 2, 2], [1, 2, 3, 4, 1, 2, 3, 1, 2, 3])
    marks = np.isin(np.arange(10), [1, 6])
    split = leave_one_out(data, marks)
    assert [split.test.of(user).tolist() for user in range(3)] == [[1], [6], []]
    assert [split.valid.of(user).tolist() for user in range(3)] == [[3], [5], []]
    assert split.train.counts.tolist() == [2, 1, 3]


def test_two_marks_of_one_user_are_refused() -> None:
    data = events([0, 1, 1, 1], [1, 2, 3, 4])
    with pytest.raises(DataError, match="user 1 has two test events; mark one"):
        leave_one_out(data, np.array([False, True, False, True]))


def test_without_validation_its_events_stay_in_training() -> None:
    split = leave_one_out(events([0, 0, 0], [1, 2, 3]), validate=False)
    assert [part.items.tolist() for part in (split.train, split.valid, split.test)] == [
        [0, 1],
        [],
        [2],
    ]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(1, [1, 0, 0]), (2, [1, 0, 1]), (3, [1, 1, 1]), (10, [8, 1, 1]), (29, [25, 2, 2])],
)
def test_a_random_split_rounds_down_but_leaves_one_where_it_can(
    count: int, sizes: list[int]
) -> None:
    split = ratio(events([0] * count, list(range(count))), DRAWS)
    assert [part.counts[0] for part in (split.train, split.valid, split.test)] == sizes


def test_a_random_split_depends_on_the_seed_and_the_user_alone() -> None:
    data = generate(40, 300, 30, Draws(1, "data"))
    few = generate(10, 300, 30, Draws(1, "data"))
    first, again, other = ratio(data, DRAWS), ratio(few, DRAWS), ratio(data, Draws(4, "split"))
    assert [first.test.of(user).tolist() for user in range(10)] == [
        again.test.of(user).tolist() for user in range(10)
    ]
    assert first.test.items.tolist() != other.test.items.tolist()


def test_shares_must_sum_to_one() -> None:
    with pytest.raises(ValueError, match="shares must not be negative and sum to 1"):
        ratio(events([0], [1]), DRAWS, (0.8, 0.1, 0.2))


def test_marked_test_events_of_movielens_1m_leave_a_validation_event(shared: Path) -> None:
    """Two of the users have no other event of known time: theirs is the last of the file."""
    folder = shared / "data" / "ml-1m"
    data = load(folder, columns=Columns("user", "item", None, "timestamp"))
    split = leave_one_out(data, load_flags(folder, "loo_test"))
    assert set(split.test.counts) == set(split.valid.counts) == {1}
    assert np.count_nonzero(split.valid.times_s < 0) == 2
