"""ml-100k as samples in time order: what rows on DIN share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.reference.movielens import folder

if TYPE_CHECKING:
    from collections.abc import Callable

    from droidloop.models.data.fields import Fields
    from droidloop.models.data.interactions import UserItems
    from droidloop.models.data.samples import Samples
    from droidloop.platform.draws import Draws


HELD_NEGATIVES = 4


@dataclass(frozen=True)
class InTime:
    """Samples of the oldest 80 %, the next 10 % and the latest 10 % of each user's events.

    ``local`` holds the events of the first part: a phone has what the cloud has of its user.
    """

    train: "Samples"
    valid: "Samples"
    test: "Samples"
    local: "UserItems"
    fields: "Fields"
    n_items: int


def rated_ml_100k(length: int) -> InTime:
    """Return whether each event is liked, with a history of *length* items liked before."""
    from droidloop.models.data.samples import samples_of

    return _ml_100k(lambda events, n_items, held: samples_of(events, length), (1, 1))


def next_ml_100k(length: int, draws: "Draws") -> InTime:
    """Return each event and items that its user never had, with *length* items had before.

    One such item in training, and ``HELD_NEGATIVES`` for validation and test, where they make AUC
    less a matter of chance.
    """
    from droidloop.models.data.samples import next_samples

    def made(events: "UserItems", n_items: int, held: bool) -> "Samples":
        chance = draws.child("held out") if held else draws
        negatives = HELD_NEGATIVES if held else 1
        return next_samples(events, length, n_items, chance, negatives=negatives)

    return _ml_100k(made, (2, 1 + HELD_NEGATIVES))


def _ml_100k(made: "Callable[[UserItems, int, bool], Samples]", rows: tuple[int, int]) -> InTime:
    """Return what *made* makes of the events; *rows* samples each, in training and held out."""
    import numpy as np

    from droidloop.models.data.fields import movielens_fields
    from droidloop.models.data.interactions import by_user
    from droidloop.models.data.readers import load
    from droidloop.models.data.samples import TEST, TRAIN, VALID, parts

    path = folder("ml-100k")
    read = load(path)
    events = by_user(read)
    part = parts(events.counts)
    train, held = (made(events, read.n_items, later) for later in (False, True))
    return InTime(
        train.take(np.repeat(part, rows[0]) == TRAIN),
        held.take(np.repeat(part, rows[1]) == VALID),
        held.take(np.repeat(part, rows[1]) == TEST),
        events.keep(part == TRAIN),
        movielens_fields(path, read.user_labels, read.item_labels),
        read.n_items,
    )
