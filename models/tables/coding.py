"""Learned codes: vectors as sums of one codeword of each codebook, by k-means on what is left.

Codebooks are filled one after the other from what the ones before leave (Chen, Guan, Wang:
Approximate Nearest Neighbor Search by Residual Vector Quantization, Sensors 2010), then each is
fitted anew to what all others leave, some times over, which never raises the error (Ai, Yu, Guan,
He: Optimized Residual Vector Quantization, 2014).
"""

from typing import NamedTuple

import numpy as np

from droidloop.models.numerics.kmeans import kmeans
from droidloop.platform.arrays import Array, Float32Array, FloatArray, IntArray
from droidloop.platform.draws import Draws

PASSES = 8
"""Over all codebooks, after they were filled."""
_FIRST_ROUNDS, _ROUNDS = 25, 3


SIGNIFICANT_BITS = 6
"""Of the numbers of codewords: their rounding is far below what codes lose, and they compress."""


class Coded(NamedTuple):
    """Codes (n, books), below *words*, and codewords (books, words, dim)."""

    codes: IntArray
    words: Float32Array

    @property
    def vectors(self) -> FloatArray:
        """The sums of the codewords, (n, dim), float64."""
        return sums_of(self.codes, self.words)


def sums_of(codes: IntArray, words: Float32Array) -> FloatArray:
    """Return the vectors that *codes* make of *words*, (n, dim), added book by book."""
    total = np.zeros((len(codes), words.shape[2]))
    for book, column in enumerate(codes.T):
        total += words[book, column]
    return total


def rounded(words: Array) -> Float32Array:
    """Return *words* with ``SIGNIFICANT_BITS``, float32."""
    part, power = np.frexp(np.asarray(words, np.float64))
    steps = 2.0**SIGNIFICANT_BITS
    return np.ldexp(np.round(part * steps) / steps, power).astype(np.float32)


def learn_codes(
    vectors: Array, books: int, words: int, draws: Draws, *, passes: int = PASSES
) -> Coded:
    """Return codes of *vectors* (n, dim) over *books* codebooks of *words* codewords each.

    Raises:
        ValueError: there are no vectors, or one is not finite.
    """
    left = np.array(vectors, np.float64)
    codes = np.zeros((len(left), books), np.int64)
    made = np.zeros((books, words, left.shape[1]), np.float32)
    for book in range(books):
        chance = draws.child(f"book/{book}")
        found = kmeans(left, words, chance, most_rounds=_FIRST_ROUNDS)
        codes[:, book], made[book] = found.labels, found.centers
        left -= made[book, codes[:, book]]
    for _ in range(passes):
        for book in range(books):
            left += made[book, codes[:, book]]
            found = kmeans(left, words, draws, start=made[book], most_rounds=_ROUNDS)
            codes[:, book], made[book] = found.labels, found.centers
            left -= made[book, codes[:, book]]
    return Coded(codes, made)
