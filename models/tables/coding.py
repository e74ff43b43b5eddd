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
from droidloop.platform.law import kernel

PASSES = 8
"""Over all codebooks, after they were filled."""
_FIRST_ROUNDS = 25


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
    vectors: Array,
    books: int,
    words: int,
    draws: Draws,
    *,
    passes: int = PASSES,
    weights: Array | None = None,
) -> Coded:
    """Return codes of *vectors* (n, dim) over *books* codebooks of *words* codewords each.

    *weights* (n,) say what an item's error counts; None: all alike.

    Raises:
        ValueError: there are no vectors, or one is not finite.
    """
    left = np.array(vectors, np.float64)
    codes = np.zeros((len(left), books), np.int64)
    made = np.zeros((books, words, left.shape[1]), np.float32)
    for book in range(books):
        found = kmeans(left, words, draws.child(f"book/{book}"), most_rounds=_FIRST_ROUNDS)
        codes[:, book], made[book] = found.labels, found.centers
        left -= made[book, codes[:, book]]
    mass = np.ones(len(left)) if weights is None else np.asarray(weights, np.float64)
    return fit_codes(Coded(codes, made), vectors, mass / mass.mean(), turns=passes)


def fit_codes(
    coded: Coded,
    vectors: Array,
    weights: FloatArray,
    *,
    turns: int,
    places: IntArray | None = None,
    price: float = 0.0,
) -> Coded:
    """Return *coded* fitted to *vectors* by turns: codes, then codewords, book by book.

    Args:
        coded: codes and codewords to begin with.
        vectors: (n, dim).
        weights: what an item's error counts, (n,).
        turns: over all codebooks; without a price each lowers the error.
        places: the codewords of each book that are fitted, and then ``rounded``; None: all, as
            they are.
        price: what a code that is another than before has to gain.
    """
    codes, words = coded.codes.copy(), coded.words.astype(np.float64)
    left = np.asarray(vectors, np.float64) - sums_of(codes, coded.words)
    every = np.arange(words.shape[1]) if places is None else places
    for turn in range(turns):
        for book in range(codes.shape[1]):
            left += words[book, codes[:, book]]
            if turn or places is None:
                before = np.ascontiguousarray(coded.codes[:, book])
                codes[:, book] = _chosen(left, words[book], weights, price, before)
            for place in every.tolist():
                mine = codes[:, book] == place
                if mine.any():
                    mean = (weights[mine, None] * left[mine]).sum(axis=0) / weights[mine].sum()
                    words[book, place] = mean if places is None else rounded(mean)
            left -= words[book, codes[:, book]]
    return Coded(codes, words.astype(np.float32))


@kernel
def _chosen(
    left: FloatArray,
    words: FloatArray,
    mass: FloatArray,
    price: float,
    before: IntArray,
) -> IntArray:
    """Return the word nearest to each vector, or that of *before* if it is no nearer by *price*."""
    codes = np.empty(len(left), np.int64)
    for n in range(len(left)):
        best, least = before[n], np.inf
        for w in range(len(words)):
            cost = 0.0 if w == before[n] else price
            for d in range(words.shape[1]):
                cost += mass[n] * (left[n, d] - words[w, d]) ** 2
            if cost < least:
                best, least = w, cost
        codes[n] = best
    return codes
