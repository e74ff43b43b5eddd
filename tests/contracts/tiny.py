"""Small learning problems made of draws, for the contract suites and the tests of rules."""

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.interfaces.learning import Cohort, Recommender, ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages


def tiny_data(draws: Draws, n_users: int, n_items: int, at_most: int = 12) -> UserItems:
    """Return distinct items for each user, 0 to *at_most* of them, and ratings of 1 to 5."""
    counts = draws.child("counts").integers(np.arange(n_users), 0, at_most + 1)
    every = np.arange(n_items)
    rows = [draws.child("items").child(u).choose(every, int(c), 0) for u, c in enumerate(counts)]
    items = np.concatenate(rows)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    ratings = (1 + draws.child("ratings").integers(np.arange(len(items)), 0, 5)).astype(np.float64)
    return UserItems(items, offsets, np.arange(len(items)), ratings)


def equal_data(draws: Draws, n_users: int, n_items: int, each: int) -> UserItems:
    """Return *each* distinct items for each user."""
    every = np.arange(n_items)
    rows = [draws.child(u).choose(every, each, 0) for u in range(n_users)]
    return UserItems.bare(np.concatenate(rows), np.arange(n_users + 1) * each)


def cohort_of(recommender: Recommender, draws: Draws, phones: IntArray, round_: int = 0) -> Cohort:
    """Return *phones* with their first private values."""
    store = PrivateStore.of(recommender, draws, int(phones.max(initial=0)) + 1)
    return Cohort(phones, round_, store.gather(phones))


def received(server: ServerRule, phones: IntArray) -> Messages:
    """Return what *phones* receive from a server that sends the same to all."""
    [inbox] = server.broadcast(phones)
    return inbox


def encoded(messages: Messages, k: int) -> bytes:
    """Write message *k* out: a header, then of each array the row numbers and the values."""
    one = messages.take(np.array([k]))
    head = np.zeros(4, np.int64)
    head[:] = one.sender[0], one.receiver[0], one.base[0], len(one.arrays)
    parts = [head.tobytes()]
    for name, array in one.arrays.items():
        if name in one.rows:
            parts.append(one.rows[name].astype("<u4").tobytes())
        parts.append(array.tobytes())
    return b"".join(parts)
