"""A phone's versions: a candidate works only after every gate, and nothing else is ever at work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.models.updates.slots import STEPS, Event, Step, advance, empty

TO_WORK = (Event.OFFERED, Event.FETCHED, Event.SIGNED, Event.PROVEN, Event.SWITCHED)
ONE = np.array([0])


def worked(*versions: int):  # type: ignore[no-untyped-def]
    slots = empty(1)
    for version in versions:
        for event in TO_WORK:
            advance(slots, ONE, event, version, version % 3)
    return slots


def test_a_version_works_after_all_its_gates_and_the_old_one_is_kept() -> None:
    row = worked(4, 7)[0]
    assert (row["version"], row["variant"], row["previous"], row["previous_variant"]) == (
        7,
        1,
        4,
        1,
    )
    assert (row["candidate"], row["step"]) == (-1, Step.IDLE)


@pytest.mark.parametrize("left_out", TO_WORK[:-1])
def test_no_gate_can_be_left_out(left_out: Event) -> None:
    slots = worked(4)
    for event in TO_WORK[: TO_WORK.index(left_out)]:
        advance(slots, ONE, event, 5, 0)
    following = TO_WORK[TO_WORK.index(left_out) + 1]
    with pytest.raises(ValueError, match="cannot happen to phone 0"):
        advance(slots, ONE, following, 5, 0)
    assert slots["version"][0] == 4


@pytest.mark.parametrize("last", TO_WORK[:-1])
def test_a_refusal_at_any_step_leaves_the_old_version_at_work(last: Event) -> None:
    slots = worked(2, 4)
    before = slots.copy()
    for event in TO_WORK[: TO_WORK.index(last) + 1]:
        advance(slots, ONE, event, 5, 0)
    advance(slots, ONE, Event.REFUSED)
    assert (slots == before).all()


def test_a_return_goes_to_the_version_before_and_then_to_none() -> None:
    slots = worked(2, 4)
    advance(slots, ONE, Event.RETURNED)
    assert (slots["version"][0], slots["variant"][0], slots["previous"][0]) == (2, 2, -1)
    advance(slots, ONE, Event.RETURNED)
    assert (slots == empty(1)).all()
    with pytest.raises(ValueError, match="RETURNED cannot happen"):
        advance(slots, ONE, Event.RETURNED)


def test_another_variant_of_the_same_version_keeps_the_version_before_it() -> None:
    slots = worked(2, 4)
    for event in TO_WORK:
        advance(slots, ONE, event, 4, 0)
    assert (slots["version"][0], slots["previous"][0]) == (4, 2)


def test_what_one_phone_of_many_cannot_do_changes_none() -> None:
    slots = empty(3)
    advance(slots, np.array([1]), Event.OFFERED, 3, 0)
    before = slots.copy()
    with pytest.raises(ValueError, match="OFFERED cannot happen to phone 1"):
        advance(slots, np.arange(3), Event.OFFERED, 4, 0)
    assert (slots == before).all()


@given(st.lists(st.tuples(st.sampled_from(list(Event)), st.integers(0, 9)), max_size=60))
def test_whatever_happens_only_proven_versions_work(events: list[tuple[Event, int]]) -> None:
    """A run of random events against a model of it that knows no table."""
    slots, proven = empty(1), {-1}
    candidate, passed = -1, 0
    for event, version in events:
        try:
            advance(slots, ONE, event, version, 0)
        except ValueError:
            assert Step(int(slots["step"][0])) not in STEPS[event][0] or event is Event.RETURNED
            continue
        if event is Event.OFFERED:
            candidate, passed = version, 0
        elif event in (Event.FETCHED, Event.SIGNED, Event.PROVEN):
            passed += 1
            if event is Event.PROVEN:
                assert passed == 3
                proven.add(candidate)
        assert int(slots["version"][0]) in proven
        assert int(slots["previous"][0]) in proven
