"""What a receiver refuses, and why: the one place in which messages from others are checked."""

from collections import Counter
from enum import IntEnum
from typing import Any

import numpy as np

from droidloop.models.interfaces.forms import Form
from droidloop.platform.arrays import Array, BoolArray, FloatArray, Int8Array, IntArray
from droidloop.platform.law import kernel
from droidloop.platform.messages import Messages
from droidloop.platform.workers import for_chunks


class Cause(IntEnum):
    """Why a message is refused: the first that holds, in this order; 0 is no cause.

    The names, in small letters, are those of the ledger's events ``refused``.
    """

    NONE = 0
    FORM = 1  # another kind, name, type or shape than the rule takes
    SENDER = 2  # nobody who was asked
    STALE = 3  # too old, or from a version to come
    TWICE = 4  # its sender was heard already
    WEIGHT = 5  # no number, negative, or more items than its sender can have
    SIZE = 6  # neither no rows nor all of them, or not those of another array
    ROWS = 7  # a row that does not exist, or one twice
    NUMBER = 8  # NaN or infinity
    BOUND = 9  # beyond what a number may be
    SUM = 10  # the sum that it would go into is full, or cannot be right
    MASK = 11  # a mask on it, or on another of its group, could not be taken off


def inspect(
    messages: Messages,
    form: Form,
    *,
    known: IntArray,
    heard: BoolArray | None = None,
    fresh: BoolArray | None = None,
    most: FloatArray | None = None,
    threads: int | None = None,
) -> Int8Array:
    """Return the cause for which each of *messages* is refused, (m,).

    Args:
        messages: as they arrived; nothing of them is changed.
        form: of what is taken.
        known: who may send, sorted.
        heard: who of *known* has been heard already; changed in place. None: may be heard again.
        fresh: which messages are of an age that is taken, (m,); None: all that state an age.
        most: the largest weight of each of *known*; None: any that is a number.
        threads: None: one a processor. The result does not depend on it.
    """
    m = len(messages)
    if not form.fits(messages):
        return np.full(m, Cause.FORM, np.int8)
    cause = np.zeros(m, np.int8)
    place = np.searchsorted(known, messages.sender)
    place[place == len(known)] = 0
    found = known[place] == messages.sender if len(known) else np.zeros(m, np.bool_)
    _blame(cause, ~found, Cause.SENDER)
    _blame(cause, messages.base < 0 if fresh is None else ~fresh, Cause.STALE)
    weight = messages.weight
    wrong = ~(np.isfinite(weight) & (weight >= 0))
    if most is not None:
        wrong |= weight > most[place] if len(most) else True
    _blame(cause, wrong, Cause.WEIGHT)
    for name, values in messages.arrays.items():
        _inspect_array(messages, name, values, form, cause, threads)
    if heard is not None:
        # whoever sent something that cannot be used may still be heard
        good = np.flatnonzero(cause == Cause.NONE)
        first = np.zeros(len(good), np.bool_)
        first[np.unique(place[good], return_index=True)[1]] = True
        cause[good[heard[place[good]] | ~first]] = Cause.TWICE
        heard[place[good]] = True
    return cause


def count(cause: Int8Array) -> Counter[Cause]:
    """Return how many messages were refused for each cause."""
    found, counts = np.unique(cause[cause != Cause.NONE], return_counts=True)
    return Counter({Cause(int(one)): int(n) for one, n in zip(found, counts, strict=True)})


def _blame(cause: Int8Array, wrong: BoolArray, why: Cause) -> None:
    cause[(cause == Cause.NONE) & wrong] = why


def _inspect_array(
    messages: Messages,
    name: str,
    values: Array,
    form: Form,
    cause: Int8Array,
    threads: int | None,
) -> None:
    wanted = form.arrays[name]
    offsets = _offsets(messages, name)
    width = int(np.prod(values.shape[1:], dtype=np.int64))
    flat = np.ascontiguousarray(values).reshape(len(values), width)
    rows = messages.rows.get(name, np.empty(0, np.int64))
    like = None if wanted.like is None else _offsets(messages, wanted.like)
    n_rows = -1 if wanted.ragged else wanted.shape[0]

    def work(low: int, high: int) -> None:
        if flat.dtype.kind in "fi":  # others have no number that is wrong
            bounds = flat.dtype.type(wanted.low), flat.dtype.type(wanted.high)
            _find_wrong_numbers(low, high, flat, offsets, *bounds, cause)
        if like is not None:
            _find_unlike_sizes(low, high, offsets, like, cause)
        if name in messages.rows:
            _find_wrong_rows(low, high, rows, offsets, n_rows, cause)
        elif wanted.like is None and not wanted.ragged:
            _find_wrong_sizes(low, high, offsets, n_rows, cause)

    for_chunks(work, len(messages), threads)


def _offsets(messages: Messages, name: str) -> IntArray:
    return messages.offsets.get(name, np.array([0, len(messages.arrays.get(name, ()))]))


@kernel
def _find_unlike_sizes(
    first: int, until: int, offsets: IntArray, like: IntArray, cause: Int8Array
) -> None:
    for k in range(first, until):
        unlike = offsets[k + 1] - offsets[k] != like[k + 1] - like[k]
        if unlike and (cause[k] == 0 or cause[k] > 6):
            cause[k] = 6


@kernel
def _find_wrong_numbers(
    first: int,
    until: int,
    values: Array,
    offsets: IntArray,
    low: Any,
    high: Any,
    cause: Int8Array,
) -> None:
    for k in range(first, until):
        good = True
        for t in range(offsets[k], offsets[k + 1]):
            for j in range(values.shape[1]):
                good &= low <= values[t, j] <= high
        if good or cause[k] != 0:
            continue
        cause[k] = 9
        for t in range(offsets[k], offsets[k + 1]):
            for j in range(values.shape[1]):
                if not np.isfinite(values[t, j]):
                    cause[k] = 8


@kernel
def _find_wrong_rows(
    first: int, until: int, rows: IntArray, offsets: IntArray, n_rows: int, cause: Int8Array
) -> None:
    seen_by = np.full(n_rows, -1, np.int64)
    for k in range(first, until):
        good = True
        for t in range(offsets[k], offsets[k + 1]):
            row = rows[t]
            if row < 0 or row >= n_rows or seen_by[row] == k:
                good = False
                break
            seen_by[row] = k
        if not good and (cause[k] == 0 or cause[k] > 7):
            cause[k] = 7


@kernel
def _find_wrong_sizes(
    first: int, until: int, offsets: IntArray, n_rows: int, cause: Int8Array
) -> None:
    for k in range(first, until):
        size = offsets[k + 1] - offsets[k]
        if size != 0 and size != n_rows and (cause[k] == 0 or cause[k] > 6):
            cause[k] = 6
