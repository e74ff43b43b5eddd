"""Negatives for a cohort, the rows that its local training touches."""

import numpy as np
from numba import uint64

from droidloop.platform.arrays import Int32Array, IntArray
from droidloop.platform.draws import BitArray, Draws, below_at
from droidloop.platform.law import kernel
from droidloop.platform.workers import for_chunks

from .interactions import UserItems

_TRIES = 64


def draw_negatives(
    data: UserItems,
    k: int,
    n_items: int,
    exclude: UserItems,
    *,
    phones: IntArray,
    draws: Draws,
    counter: int,
    threads: int | None = None,
) -> Int32Array:
    """Return *k* items for each item of *data*, uniform among those its client may be given.

    Args:
        data: local items, row k of phone ``phones[k]``.
        k: negatives for each item.
        n_items: items are drawn from 0..n_items-1.
        exclude: the items that are never drawn, row k for phone ``phones[k]``.
        phones: row numbers for *draws*.
        draws: the chance; *counter* (a round, an epoch) gives new negatives.
        counter: see *draws*.
        threads: as in ``for_chunks``.

    Returns:
        Item ids of shape (len(data.items), k); all -1 for a client whom every item is excluded.
    """
    out = np.empty((len(data.items), k), np.int32)
    key = np.uint64(draws.child(f"negatives/{counter}").key)

    def work(low: int, high: int) -> None:
        _draw(low, high, data.offsets, phones, exclude.items, exclude.offsets, n_items, key, out)

    for_chunks(work, len(phones), threads)
    return out


def touched_rows(
    data: UserItems, negatives: Int32Array, n_items: int, threads: int | None = None
) -> tuple[Int32Array, IntArray]:
    """Return the ids, sorted by client, that local training touches, and their offsets."""
    counts = np.empty(data.n_users, np.int64)

    def count(low: int, high: int) -> None:
        _count(low, high, data.items, data.offsets, negatives, n_items, counts)

    for_chunks(count, data.n_users, threads)
    offsets = np.zeros(data.n_users + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    ids = np.empty(offsets[-1], np.int32)

    def collect(low: int, high: int) -> None:
        _collect(low, high, data.items, data.offsets, negatives, n_items, offsets, ids)

    for_chunks(collect, data.n_users, threads)
    return ids, offsets


@kernel(inline="always")
def _mark(words: BitArray, item: int) -> None:
    words[item >> 6] |= uint64(1) << uint64(item & 63)


@kernel(inline="always")
def _marked(words: BitArray, item: int) -> bool:
    return bool((words[item >> 6] >> uint64(item & 63)) & uint64(1))


@kernel(inline="always")
def _popcount(word: np.uint64) -> int:
    pairs = word - ((word >> uint64(1)) & uint64(0x5555555555555555))
    fours = (pairs & uint64(0x3333333333333333)) + (
        (pairs >> uint64(2)) & uint64(0x3333333333333333)
    )
    eights = (fours + (fours >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return int((eights * uint64(0x0101010101010101)) >> uint64(56))


@kernel
def _mark_examples(
    words: BitArray, items: IntArray, negatives: Int32Array, start: int, end: int
) -> None:
    for example in range(start, end):
        _mark(words, items[example])
        for s in range(negatives.shape[1]):
            if negatives[example, s] >= 0:
                _mark(words, negatives[example, s])


@kernel
def _free_item(words: BitArray, rank: int) -> int:
    """Return the unmarked item that has *rank* unmarked items before it; there must be one."""
    item = -1
    while rank >= 0:
        item += 1
        if not _marked(words, item):
            rank -= 1
    return item


@kernel
def _draw(
    low: int,
    high: int,
    offsets: IntArray,
    phones: IntArray,
    excluded: IntArray,
    excluded_offsets: IntArray,
    n_items: int,
    key: np.uint64,
    out: Int32Array,
) -> None:
    words = np.zeros((n_items + 63) // 64, np.uint64)
    for client in range(low, high):
        mine = excluded[excluded_offsets[client] : excluded_offsets[client + 1]]
        free = n_items
        for item in mine:
            free -= 0 if _marked(words, item) else 1
            _mark(words, item)
        drawn = 0
        for example in range(offsets[client], offsets[client + 1]):
            for s in range(out.shape[1]):
                out[example, s] = -1
                tries = _TRIES if free > 0 else 0
                while tries > 0 and out[example, s] < 0:
                    item = below_at(key, phones[client], drawn, n_items)
                    drawn += 1
                    tries -= 1
                    if not _marked(words, item):
                        out[example, s] = item
                if free > 0 and out[example, s] < 0:  # nearly all are excluded
                    out[example, s] = _free_item(words, below_at(key, phones[client], drawn, free))
                    drawn += 1
        for item in mine:
            words[item >> 6] = uint64(0)


@kernel
def _count(
    low: int,
    high: int,
    items: IntArray,
    offsets: IntArray,
    negatives: Int32Array,
    n_items: int,
    counts: IntArray,
) -> None:
    words = np.zeros((n_items + 63) // 64, np.uint64)
    for client in range(low, high):
        _mark_examples(words, items, negatives, offsets[client], offsets[client + 1])
        total = 0
        for w in range(words.size):
            total += _popcount(words[w])
            words[w] = uint64(0)
        counts[client] = total


@kernel
def _collect(
    low: int,
    high: int,
    items: IntArray,
    offsets: IntArray,
    negatives: Int32Array,
    n_items: int,
    row_offsets: IntArray,
    ids: Int32Array,
) -> None:
    words = np.zeros((n_items + 63) // 64, np.uint64)
    for client in range(low, high):
        _mark_examples(words, items, negatives, offsets[client], offsets[client + 1])
        row = row_offsets[client]
        for w in range(words.size):
            word = words[w]
            words[w] = uint64(0)
            while word != uint64(0):
                lowest = word & (~word + uint64(1))
                ids[row] = 64 * w + _popcount(lowest - uint64(1))
                row += 1
                word ^= lowest
