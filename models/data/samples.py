"""Click-through prediction from events in time order: samples with a history.

A sample is an event of a user: whether it is liked (a rating of 4 or more) is to be told from the
items that the user liked before (``samples_of``). Or each event is liked, and another item that
the user never had, drawn for it, is not: then what a user had next is told from all that the user
had before (``next_samples``; the samples of Zhou et al., KDD 2018, on Amazon).
"""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.law import kernel

from .interactions import UserItems, union
from .negatives import draw_negatives

LIKED = 4.0
"""The least rating that counts as a click."""
NEUTRAL = 3.0
"""A rating that says neither."""
TRAIN, VALID, TEST = 0, 1, 2
SHARES = (0.8, 0.1, 0.1)


@dataclass(frozen=True)
class Samples:
    """Samples user by user, oldest first; user *u* owns ``offsets[u]:offsets[u + 1]``.

    Attributes:
        users: row numbers, (n,).
        items: what is judged, (n,).
        labels: 1 liked, 0 not, (n,).
        history: liked items before the sample, oldest first, (n, length), -1 (first) where none.
        offsets: (n_users + 1,).
    """

    users: IntArray
    items: Int32Array
    labels: Float32Array
    history: Int32Array
    offsets: IntArray

    def __len__(self) -> int:
        return len(self.items)

    def take(self, mask: Array) -> "Samples":
        """Return the samples that *mask* marks, of the same users."""
        counts = np.bincount(self.users[mask], minlength=len(self.offsets) - 1)
        return Samples(
            *(self.users[mask], self.items[mask], self.labels[mask], self.history[mask]),
            _offsets(counts),
        )


def samples_of(events: UserItems, length: int) -> Samples:
    """Return a sample for each of *events*, with at most *length* liked items before it.

    Raises:
        ValueError: *length* is not positive.
    """
    if length < 1:
        raise ValueError(f"a history of {length} items; give 1 or more")
    users = np.repeat(np.arange(events.n_users), events.counts)
    liked = np.asarray(events.ratings) >= LIKED
    history = np.full((len(users), length), -1, np.int32)
    _look_back(events.items, liked, events.offsets, history)
    return Samples(
        users,
        events.items.astype(np.int32),
        liked.astype(np.float32),
        history,
        np.asarray(events.offsets),
    )


def next_samples(
    events: UserItems,
    length: int,
    n_items: int,
    draws: Draws,
    *,
    negatives: int = 1,
    phones: IntArray | None = None,
) -> Samples:
    """Return samples for each of *events*: it, and *negatives* items that its user never had.

    Those are uniform among those in none of the user's *events*, later ones included. All have
    the same history: at most *length* items before the event, however they were rated. *phones* are
    the row numbers of the users for *draws*; 0, 1, ... if not given.

    Raises:
        ValueError: *length* is not positive, or a user had all items.
    """
    everything = replace(events, ratings=np.full(len(events.items), LIKED))
    each = samples_of(everything, length)
    phones = np.arange(events.n_users) if phones is None else phones
    other = draw_negatives(
        *(events, negatives, n_items, union(events)), phones=phones, draws=draws, counter=0
    )
    if (other < 0).any():
        raise ValueError("a user had all items: there is none that the user never had")
    labels = np.zeros((len(each), 1 + negatives), np.float32)
    labels[:, 0] = 1
    return Samples(
        np.repeat(each.users, 1 + negatives),
        np.concatenate([each.items[:, None], other], axis=1).reshape(-1),
        labels.reshape(-1),
        np.repeat(each.history, 1 + negatives, axis=0),
        (1 + negatives) * each.offsets,
    )


def judged_samples(events: UserItems) -> Samples:
    """Return a sample without history for each of *events*: liked above 3, not below.

    A rating of 3, or one that is not known (NaN), says neither and is dropped: the labels of Liu,
    Zhao, Wang et al., Learnable Embedding Sizes for Recommender Systems (ICLR 2021), on MovieLens.
    """
    kept = events.keep((events.ratings > NEUTRAL) | (events.ratings < NEUTRAL))
    return Samples(
        np.repeat(np.arange(kept.n_users), kept.counts),
        kept.items.astype(np.int32),
        (kept.ratings > NEUTRAL).astype(np.float32),
        np.empty((len(kept.items), 0), np.int32),
        np.asarray(kept.offsets),
    )


def random_parts(count: int, draws: Draws, shares: tuple[float, float, float] = SHARES) -> IntArray:
    """Return the part of each of *count* samples, drawn for each by itself."""
    chance = draws.uniform(np.arange(count), 0)
    return np.searchsorted(np.cumsum(shares)[:2], chance, side="right")


def parts(counts: IntArray, shares: tuple[float, float, float] = SHARES) -> IntArray:
    """Return the part of each event, oldest first by user: training, then validation, then test.

    Shares of a user's *counts* are rounded down for what is held out; the rest is for training.
    """
    held = [np.floor(share * counts + 1e-9).astype(np.int64) for share in shares[1:]]
    users = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(users)) - _offsets(counts)[users]
    left = counts[users] - place
    valid, test = held[0][users], held[1][users]
    return np.where(left <= test, TEST, np.where(left <= test + valid, VALID, TRAIN))


def _offsets(counts: IntArray) -> IntArray:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


@kernel
def _look_back(items: IntArray, liked: Array, offsets: IntArray, history: Int32Array) -> None:
    length = history.shape[1]
    for user in range(offsets.size - 1):
        for e in range(offsets[user], offsets[user + 1]):
            place = length
            k = e - 1
            while place > 0 and k >= offsets[user]:
                if liked[k]:
                    place -= 1
                    history[e, place] = items[k]
                k -= 1
