"""ml-100k as samples in time order: what rows on DIN share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from droidloop.models.ctr import Samples
    from droidloop.models.fields import Fields
    from droidloop.models.interactions import UserItems
    from droidloop.platform.draws import Draws


@dataclass(frozen=True)
class InTime:
    """Samples of the oldest 80 %, the next 10 % and the latest 10 % of each user's events.

    ``local`` holds the events of the first two parts, ``before`` those of the first.
    """

    train: "Samples"
    valid: "Samples"
    test: "Samples"
    local: "UserItems"
    before: "UserItems"
    fields: "Fields"
    n_items: int


def rated_ml_100k(length: int) -> InTime:
    """Return whether each event is liked, with a history of *length* items liked before."""
    return _ml_100k(length, None)


def next_ml_100k(length: int, draws: "Draws") -> InTime:
    """Return each event and an item that its user never had, with *length* items had before."""
    return _ml_100k(length, draws)


def _ml_100k(length: int, draws: "Draws | None") -> InTime:
    import numpy as np

    from droidloop.models.ctr import TEST, TRAIN, VALID, next_samples, parts, samples_of
    from droidloop.models.fields import movielens_fields
    from droidloop.models.interactions import by_user
    from droidloop.models.readers import load

    path = folder("ml-100k")
    read = load(path)
    events = by_user(read)
    part = parts(events.counts)
    if draws is None:
        samples, each = samples_of(events, length), part
    else:
        samples, each = next_samples(events, length, read.n_items, draws), np.repeat(part, 2)
    train, valid, test = (samples.take(each == which) for which in (TRAIN, VALID, TEST))
    return InTime(
        train,
        valid,
        test,
        events.keep(part != TEST),
        events.keep(part == TRAIN),
        movielens_fields(path, read.user_labels, read.item_labels),
        read.n_items,
    )
