"""ml-100k as rated samples in time order: what rows on DIN share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from droidloop.models.ctr import Samples
    from droidloop.models.fields import Fields
    from droidloop.models.interactions import UserItems


@dataclass(frozen=True)
class Rated:
    """Samples of the oldest 80 %, the next 10 % and the latest 10 % of each user's events.

    ``local`` holds the events of the first two parts, which are those of the phones.
    """

    train: "Samples"
    valid: "Samples"
    test: "Samples"
    local: "UserItems"
    fields: "Fields"
    n_items: int


def rated_ml_100k(length: int) -> Rated:
    """Return the samples with a history of *length* liked items."""
    import numpy as np

    from droidloop.models.ctr import TEST, TRAIN, VALID, parts, samples_of
    from droidloop.models.fields import movielens_fields
    from droidloop.models.interactions import UserItems, by_user
    from droidloop.models.readers import load

    path = folder("ml-100k")
    read = load(path)
    events = by_user(read)
    samples, part = samples_of(events, length), parts(events.counts)
    mine = part != TEST
    counts = np.bincount(samples.users[mine], minlength=events.n_users)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    local = UserItems(
        *(events.items[mine], offsets, events.times_s[mine], events.ratings[mine]),
    )
    train, valid, test = (samples.take(part == which) for which in (TRAIN, VALID, TEST))
    return Rated(
        train,
        valid,
        test,
        local,
        movielens_fields(path, read.user_labels, read.item_labels),
        read.n_items,
    )
