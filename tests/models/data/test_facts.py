"""What was read is told, and what of it may surprise."""

import numpy as np

from droidloop.models.data.facts import facts_of, without_repeats
from droidloop.models.data.interactions import Interactions
from droidloop.models.data.split import leave_one_out

# ann: a b a c b (the last is a repeat); bob: a, at an unknown time
DATA = Interactions(
    np.array([0, 0, 0, 0, 0, 1]),
    np.array([0, 1, 0, 2, 1, 0]),
    np.ones(6),
    np.array([1, 2, 3, 4, 5, -1]),
    np.array(["ann", "bob"]),
    np.array(["a", "b", "c"]),
)


def test_a_users_first_event_of_an_item_is_what_stays() -> None:
    kept, gone = without_repeats(DATA)
    assert gone == 2
    assert kept.times_s.tolist() == [1, 2, 4, -1]
    assert without_repeats(kept) == (kept, 0)


def test_first_is_by_time_and_not_by_the_file() -> None:
    rows = np.array([4, 3, 2, 1, 0, 5])
    turned = Interactions(
        *(DATA.users[rows], DATA.items[rows], DATA.ratings, DATA.times_s[rows]),
        *(DATA.user_labels, DATA.item_labels),
    )
    assert sorted(without_repeats(turned)[0].times_s.tolist()) == [-1, 1, 2, 4]


def test_facts_tell_repeats_span_and_what_training_knows() -> None:
    facts = facts_of(DATA, None, leave_one_out(DATA))
    assert (facts.users, facts.items, facts.events) == (2, 3, 6)
    assert (facts.repeats, facts.dropped, facts.known_tests) == (2, False, 1)
    assert (facts.untimed, facts.first_s, facts.last_s) == (1, 1, 5)


def test_without_repeats_no_test_event_is_known_from_training() -> None:
    kept, gone = without_repeats(DATA)
    facts = facts_of(kept, gone, leave_one_out(kept))
    assert (facts.events, facts.repeats, facts.dropped, facts.known_tests) == (4, 2, True, 0)


def test_data_without_times_have_no_span() -> None:
    untimed = Interactions(
        *(DATA.users, DATA.items, DATA.ratings, np.full(6, -1)),
        *(DATA.user_labels, DATA.item_labels),
    )
    facts = facts_of(untimed, None, leave_one_out(untimed))
    assert (facts.untimed, facts.first_s, facts.last_s) == (6, -1, -1)
