"""What was read: how much of what, over which time, and what of it may surprise."""

from dataclasses import asdict, dataclass

import numpy as np

from .interactions import Interactions, first_events
from .split import Split


@dataclass(frozen=True)
class DataFacts:
    """Counts of a data set, as a run has it.

    Attributes:
        users: how many there are.
        items: likewise.
        events: likewise, repeats that were dropped apart.
        repeats: events of an item that their user had before.
        dropped: whether these were left out.
        known_tests: test events of an item that the user has in training, too.
        untimed: events without a time; their order is that of the file.
        first_s: unix seconds of the first event; -1: no event has a time.
        last_s: and of the last one.
    """

    users: int
    items: int
    events: int
    repeats: int
    dropped: bool
    known_tests: int
    untimed: int
    first_s: int
    last_s: int

    def plain(self) -> dict[str, int]:
        """Return them by name; 1: repeats were dropped."""
        return {name: int(value) for name, value in asdict(self).items()}


def without_repeats(interactions: Interactions) -> tuple[Interactions, int]:
    """Return each user's first event of each item, and how many others there were."""
    first = first_events(interactions)
    gone = int(np.count_nonzero(~first))
    return (interactions.keep(first) if gone else interactions), gone


def facts_of(kept: Interactions, dropped: int | None, split: Split) -> DataFacts:
    """Return the facts of what is *kept*; *dropped* repeats are not in it; None: they are kept."""
    times_s = kept.times_s[kept.times_s >= 0]
    repeats = np.count_nonzero(~first_events(kept)) if dropped is None else dropped
    return DataFacts(
        users=kept.n_users,
        items=kept.n_items,
        events=len(kept),
        repeats=int(repeats),
        dropped=dropped is not None,
        known_tests=_known(split),
        untimed=len(kept) - len(times_s),
        first_s=int(times_s.min(initial=np.iinfo(np.int64).max)) if len(times_s) else -1,
        last_s=int(times_s.max(initial=-1)),
    )


def _known(split: Split) -> int:
    """Return how many test events are of items that their users have in training."""
    tests, known = (
        np.repeat(np.arange(part.n_users), part.counts) * split.n_items + part.items
        for part in (split.test, split.train)
    )
    return int(np.isin(tests, known).sum())
