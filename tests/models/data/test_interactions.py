"""Grouping events by user, and sets of items."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.data.interactions import Interactions, UserItems, by_user, union


def events(users: list[int], items: list[int], times_s: list[int]) -> Interactions:
    return Interactions(
        np.array(users, np.int64),
        np.array(items, np.int64),
        np.arange(len(users), dtype=np.float64),
        np.array(times_s, np.int64),
        np.arange(max(users) + 1),
        np.arange(max(items) + 1),
    )


def test_events_of_a_user_come_oldest_first() -> None:
    grouped = by_user(events([1, 0, 1, 1], [3, 2, 1, 0], [30, 5, 10, 20]))
    assert grouped.of(0).tolist() == [2]
    assert grouped.of(1).tolist() == [1, 0, 3]
    assert grouped.times_s.tolist() == [5, 10, 20, 30]


def test_of_one_second_the_earlier_row_is_the_later_event() -> None:
    assert by_user(events([0, 0, 0], [5, 6, 7], [9, 9, 1])).of(0).tolist() == [7, 6, 5]


def test_unknown_times_come_first_in_the_order_of_the_file() -> None:
    grouped = by_user(events([0, 0, 0, 0], [5, 6, 7, 8], [9, -1, 9, -1]))
    assert grouped.of(0).tolist() == [6, 8, 7, 5]


@settings(deadline=None)  # the first call compiles
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), min_size=1, max_size=30))
def test_grouping_equals_a_stable_sort_by_hand(rows: list[tuple[int, int]]) -> None:
    users, times_s = [row[0] for row in rows], [row[1] for row in rows]
    data = events(users, list(range(len(rows))), times_s)
    order = sorted(
        range(len(rows)),
        key=lambda k: (users[k], times_s[k], k if times_s[k] < 0 else -k),
    )
    grouped = by_user(data)
    assert grouped.items.tolist() == order
    assert grouped.ratings.tolist() == order
    assert grouped.counts.tolist() == [users.count(user) for user in range(max(users) + 1)]


def test_keeping_events_drops_and_renumbers_what_has_none_left() -> None:
    data = events([0, 1, 2, 2], [4, 0, 1, 4], [1, 2, 3, 4])
    kept = data.keep(np.array([True, False, False, True]))
    assert kept.users.tolist() == [0, 1]
    assert kept.user_labels.tolist() == [0, 2]
    assert kept.items.tolist() == [0, 0]
    assert kept.item_labels.tolist() == [4]
    assert kept.times_s.tolist() == [1, 4]


@settings(deadline=None)  # the first call compiles
@given(
    st.lists(
        st.lists(st.lists(st.integers(0, 9), max_size=6), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_union_holds_each_item_of_any_part_once_and_sorted(parts: list[list[list[int]]]) -> None:
    built = []
    for users in parts:
        offsets = np.cumsum([0, *(len(items) for items in users)])
        flat = np.array([item for items in users for item in items], np.int64)
        built.append(UserItems.bare(flat, offsets))
    found = union(*built)
    for user in range(3):
        expected = sorted({item for users in parts for item in users[user]})
        assert found.of(user).tolist() == expected
