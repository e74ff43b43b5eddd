"""Scores of codes by look-up: the products with all codewords once, then a sum for each item.

A product with a sum of codewords is the sum of the products with each (Lian et al., LightRec,
WWW 2020): an item takes as many additions as it has codes, and as many bytes of memory.
"""

import numpy as np

from droidloop.platform.arrays import Array, Float32Array
from droidloop.platform.law import kernel

from .coding import Coded


def bytes_of(coded: Coded) -> Array:
    """Return the codes as bytes, (n, books); there are at most 256 codewords a book."""
    return np.ascontiguousarray(coded.codes, np.uint8)


def look_up_scores(users: Float32Array, codes: Array, words: Float32Array) -> Float32Array:
    """Return the products of *users* (m, dim) with the vectors of *codes*, (m, n).

    *codes* are those of ``bytes_of``, *words* the codewords (books, words, dim).
    """
    books, count, dim = words.shape
    tables = (users @ words.reshape(books * count, dim).T).reshape(len(users), books, count)
    out = np.empty((len(users), len(codes)), np.float32)
    for table, row in zip(tables, out, strict=True):
        _add_up(np.ascontiguousarray(table), codes, row)
    return out


@kernel
def _add_up(table: Float32Array, codes: Array, out: Float32Array) -> None:
    for n in range(codes.shape[0]):
        total = np.float32(0)
        for book in range(codes.shape[1]):
            total += table[book, codes[n, book]]
        out[n] = total
