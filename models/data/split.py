"""Splits of a data set into training, validation and test events, by user.

Leave one out: He et al., Neural Collaborative Filtering (WWW 2017); with a validation event:
Zhang et al., Dual Personalization on Federated Recommendation (IJCAI 2023). Random ratio by user:
the rule of RecBole (Zhao et al., CIKM 2021).
"""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError

from .interactions import Interactions, UserItems, behind, chronological

Part = Literal["valid", "test"]
SHARES = (0.8, 0.1, 0.1)

_TRAIN, _VALID, _TEST = 0, 1, 2


@dataclass(frozen=True)
class Split:
    """Every event in exactly one of three parts; a user may have none in a part."""

    train: UserItems
    valid: UserItems
    test: UserItems
    n_items: int

    @property
    def n_users(self) -> int:
        """How many users there are, those without test events included."""
        return self.train.n_users

    def only(self, users: IntArray, part: Part) -> "Split":
        """Return the split in which *users* alone have events in *part*."""
        mine, held = np.zeros(self.n_users, np.bool_), self.held_out(part)
        mine[users] = True
        kept = held.keep(np.repeat(mine, held.counts))
        return replace(self, valid=kept) if part == "valid" else replace(self, test=kept)

    def held_out(self, part: Part) -> UserItems:
        """Return the validation or the test events."""
        return self.valid if part == "valid" else self.test

    def history(self, part: Part) -> UserItems:
        """Return the events known when *part* is predicted, by user, one part after another."""
        train, *valid = self.known(part)
        return behind(train, valid[0]) if valid else train

    def moments(self, part: Part) -> IntArray:
        """Return the time of each user's first held-out event of *part*; 0 without one."""
        held, found = self.held_out(part), np.zeros(self.n_users, np.int64)
        some = held.counts > 0
        found[some] = held.times_s[held.offsets[:-1][some]]
        return found

    def known(self, part: Part) -> tuple[UserItems, ...]:
        """Return the parts that are known when *part* is predicted: those before it."""
        return (self.train,) if part == "valid" else (self.train, self.valid)


def leave_one_out(
    interactions: Interactions, test: BoolArray | None = None, *, validate: bool = True
) -> Split:
    """Put each user's latest event into test, the second latest into validation.

    Users with fewer than three events keep all of them in training. *test* marks the test event
    of each user where the data set brings its own; the latest of the others is validation, and
    users without a mark keep everything in training. Without *validate*, what would be validation
    stays in training, as in the protocol of the NCF paper.

    Raises:
        DataError: *test* marks two events of one user.
    """
    order, offsets = chronological(interactions)
    part = np.full(len(order), _TRAIN, np.int8)
    if test is None:
        users = np.flatnonzero(np.diff(offsets) >= 3)
        held = offsets[users + 1] - 1
    else:
        held = np.flatnonzero(test[order])
        users = np.searchsorted(offsets, held, side="right") - 1
        if len(np.unique(users)) < len(users):
            twice = users[np.argmax(np.diff(users) == 0)]
            label = interactions.user_labels[twice]
            raise DataError(f"user {label} has two test events; mark one event of each user")
        enough = np.diff(offsets)[users] >= 3
        users, held = users[enough], held[enough]
    last = offsets[users + 1] - 1
    if validate:
        part[np.where(held == last, last - 1, last)] = _VALID
    part[held] = _TEST
    return _assemble(interactions, order, offsets, part)


def ratio(
    interactions: Interactions, draws: Draws, shares: tuple[float, float, float] = SHARES
) -> Split:
    """Split each user's events at random into *shares* for training, validation and test.

    Shares of a user's number of events are rounded down, the rest is for training. Where that
    leaves nothing, test and then validation still get one event, as long as training keeps one.
    """
    _check(shares)
    order, offsets = chronological(interactions)
    counts = np.diff(offsets)
    users = np.repeat(np.arange(len(counts)), counts)
    place = np.arange(len(order)) - offsets[users]
    shuffled = np.lexsort((place, draws.bits(users, place), users))
    rank = np.empty(len(order), np.int64)
    rank[shuffled] = place
    n_valid, n_test = _floor(shares[1] * counts), _floor(shares[2] * counts)
    more = (n_test == 0) & (shares[2] > 0) & (counts - n_valid > 1)
    n_test += more
    n_valid += (n_valid == 0) & (shares[1] > 0) & (counts - n_test > 1)
    n_train = counts - n_valid - n_test
    part = (rank >= n_train[users]).astype(np.int8) + (rank >= (n_train + n_valid)[users])
    return _assemble(interactions, order, offsets, part)


def _check(shares: tuple[float, float, float]) -> None:
    if min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise ValueError(f"shares must not be negative and sum to 1, not {shares}")


def _floor(amount: Any) -> IntArray:
    """Round down, but not what only floating point keeps from being whole."""
    return np.asarray(np.floor(np.round(amount, 6)), np.int64)


def _assemble(interactions: Interactions, order: IntArray, offsets: IntArray, part: Any) -> Split:
    parts = []
    for number in (_TRAIN, _VALID, _TEST):
        inside = part == number
        before = np.zeros(len(order) + 1, np.int64)
        np.cumsum(inside, out=before[1:])
        rows = order[inside]
        columns = (interactions.items, interactions.times_s, interactions.ratings)
        items, times_s, ratings = (column[rows] for column in columns)
        parts.append(UserItems(items, before[offsets], times_s, ratings))
    train, valid, test = parts
    return Split(train, valid, test, interactions.n_items)
