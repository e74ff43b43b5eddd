"""What is installed on phones, and the only ways in which that changes.

A row is one phone: the version that works there, the one before it, and a candidate on its way.
The same table of steps moves the rows of a simulated population and the one row that a real
device keeps. A candidate is switched to only after it was fetched, its hash and signature held and
it gave the golden outputs on that very phone; whatever goes wrong leaves the old version at work.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray

Slots = np.ndarray[Any, np.dtype[np.void]]

NONE = -1
"""No version, no variant."""


class Step(IntEnum):
    """How far a candidate has come. Codes are part of what devices keep: never renumber."""

    IDLE = 0
    FETCHING = 1
    FETCHED = 2
    SIGNED = 3
    PROVEN = 4


class Event(IntEnum):
    """What happens to a phone's versions. Codes are part of the ledger's schema."""

    OFFERED = 1
    FETCHED = 2
    SIGNED = 3
    PROVEN = 4
    SWITCHED = 5
    REFUSED = 6
    RETURNED = 7


STEPS: dict[Event, tuple[frozenset[Step], Step]] = {
    Event.OFFERED: (frozenset({Step.IDLE}), Step.FETCHING),
    Event.FETCHED: (frozenset({Step.FETCHING}), Step.FETCHED),
    Event.SIGNED: (frozenset({Step.FETCHED}), Step.SIGNED),
    Event.PROVEN: (frozenset({Step.SIGNED}), Step.PROVEN),
    Event.SWITCHED: (frozenset({Step.PROVEN}), Step.IDLE),
    Event.REFUSED: (
        frozenset({Step.FETCHING, Step.FETCHED, Step.SIGNED, Step.PROVEN}),
        Step.IDLE,
    ),
    Event.RETURNED: (frozenset({Step.IDLE}), Step.IDLE),
}
"""From which steps an event may come, and to which it leads. A return may lead to no version."""

FIELDS = (
    ("version", np.int32),  # that works; -1 in any: none
    ("variant", np.int8),
    ("previous", np.int32),  # to which the phone can return without fetching anything
    ("previous_variant", np.int8),
    ("candidate", np.int32),
    ("candidate_variant", np.int8),
    ("step", np.int8),
)
SLOT_DTYPE = np.dtype(list(FIELDS))
_PAIRS = (
    ("version", "variant"),
    ("previous", "previous_variant"),
    ("candidate", "candidate_variant"),
)


def empty(count: int) -> Slots:
    """Return the rows of *count* phones on which nothing is installed."""
    slots = np.full(count, np.array((NONE,) * (len(FIELDS) - 1) + (Step.IDLE,), SLOT_DTYPE))
    return slots


def advance(
    slots: Slots, rows: IntArray, event: Event, version: Any = NONE, variant: Any = NONE
) -> None:
    """Have *event* happen to *rows* of *slots*, in place.

    *version* and *variant* are those that are offered, one for all or one a row.

    Raises:
        ValueError: it cannot happen to one of them; none has changed.
    """
    before, after = STEPS[event]
    steps = slots["step"][rows]
    wrong = ~np.isin(steps, list(before))
    if event is Event.RETURNED:
        wrong |= slots["version"][rows] < 0
    if wrong.any():
        row = int(np.asarray(rows)[wrong][0])
        raise ValueError(f"{event.name} cannot happen to phone {row} at {slots[row]}")
    slots["step"][rows] = after
    (active, kind), (previous, previous_kind), (candidate, candidate_kind) = _PAIRS
    if event is Event.OFFERED:
        slots[candidate][rows], slots[candidate_kind][rows] = version, variant
    if event is Event.SWITCHED:
        same = slots[active][rows] == slots[candidate][rows]  # another variant of it
        for kept, was in ((previous, active), (previous_kind, kind)):
            slots[kept][rows] = np.where(same, slots[kept][rows], slots[was][rows])
        slots[active][rows], slots[kind][rows] = slots[candidate][rows], slots[candidate_kind][rows]
    if event in (Event.SWITCHED, Event.REFUSED):
        slots[candidate][rows] = slots[candidate_kind][rows] = NONE
    if event is Event.RETURNED:
        slots[active][rows], slots[kind][rows] = slots[previous][rows], slots[previous_kind][rows]
        slots[previous][rows] = slots[previous_kind][rows] = NONE
