"""Phones on which nothing was trained, and what they make of a model that they are given.

The private part of such a phone is where it began, so what it would show is random. Given the
model, it trains that part on its own events: by the step of the rule, some times over, as if it
took part and nobody listened. A phone without events has nothing of its own to show.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort, Cost
from droidloop.platform.arrays import IntArray
from droidloop.platform.state import copied

from .learning import FederatedLearning, Fit, Learning, Snapshot

PASSES = 20
"""How often a phone takes the rule's step. Of 5, 10, 20, 40 and 80 on validation more were slightly
better in the mean; 20 were kept for their cost (quickstart, seeds 11 to 13)."""
_CHUNK = 256
"""Phones that take steps together: what they would send is in memory."""

Local = Callable[[UserItems, IntArray], UserItems]
"""Returns the rows of some phones: what they know by now."""


def with_newcomers(learning: Learning, local: Local) -> Snapshot:
    """Return what has been learned by now, and what newcomers would make of it once they have it.

    Where nothing ships, a phone that has neither learned nor fetched a model shows nothing of its
    own, and where something does, one without events. *learning* is left as it was.
    """
    snapshot, took_part = learning.snapshot(), learning.took_part.copy()
    new = np.flatnonzero(~took_part)
    if snapshot.ship is None or not isinstance(learning, FederatedLearning):
        return replace(snapshot, took_part=took_part, bare=~(took_part | learning.given))
    data = local(learning.data, new)
    bare = np.zeros_like(took_part)
    bare[new[data.counts == 0]] = True
    new, data = new[data.counts > 0], data.take(np.flatnonzero(data.counts))
    if not len(new):
        return replace(snapshot, took_part=took_part, bare=bare)
    hooked = learning.on_delivered is not None or learning.on_computed is not None
    before = copied(learning.state()) if hooked else None
    rows = learning.store.gather(new)
    passes = _train(learning, new, data)
    fitted = learning.snapshot()
    learning.store.commit(new, rows)
    if before is not None:
        learning.restore(before)
    return replace(
        fitted, took_part=took_part, bare=bare, fit=Fit(new, _cost(learning, new, data, passes))
    )


def _train(learning: FederatedLearning, new: IntArray, data: UserItems) -> int:
    """Have phones *new* train what is private to them; return how many steps changed anything."""
    most = 0
    for start in range(0, len(new), _CHUNK):
        part = slice(start, start + _CHUNK)
        mine = data.take(np.arange(len(new))[part])
        for number in range(PASSES):
            if not _step(learning, new[part], mine, number):
                break
            most = max(most, number + 1)
    return most


def _step(learning: FederatedLearning, phones: IntArray, data: UserItems, number: int) -> bool:
    """Have *phones* take one step; return whether that changed what is private to any."""
    store, changed = learning.store, False
    for inbox in learning.server.broadcast(phones):
        mine = inbox.receiver
        before = store.gather(mine)
        cohort = Cohort(mine, number, {name: rows.copy() for name, rows in before.items()})
        known = data.take(np.searchsorted(phones, mine))
        sent = learning.client.step(cohort, inbox, known, learning.draws.child("newcomers"))
        if learning.on_delivered is not None:
            learning.on_delivered(inbox)
        store.commit(mine, cohort.private)
        if learning.on_computed is not None:
            learning.on_computed(inbox, sent)
        changed |= any(not np.array_equal(before[name], cohort.private[name]) for name in before)
    return changed


def _cost(learning: FederatedLearning, new: IntArray, data: UserItems, passes: int) -> Cost:
    once = learning.client.cost(Cohort(new, 0, {}), data)
    every = np.ones(len(new), np.int64)
    return Cost(
        passes * once.flops * every,
        passes * once.moved_bytes * every,
        once.ram_bytes * every,
        passes * once.operators * every,
    )
