"""Chance without a generator: a draw is a pure function of (seed, purpose, row, counter).

It does not matter in which order, on which worker or for which subset of rows one asks. The hash
is the finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
generators, OOPSLA 2014), applied once per word of the key.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import uint64

from .arrays import FloatArray, IntArray
from .law import kernel, law

BitArray = np.ndarray[Any, np.dtype[np.uint64]]
Key = Any
"""An unsigned 64-bit number, as numpy and as numba know it."""

_GOLDEN: Any = np.uint64(0x9E3779B97F4A7C15)
_TURN = 2.0 * np.pi


@law
def _mix(word: Any) -> Any:
    word = uint64(word)
    word = (word ^ (word >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> uint64(27))) * uint64(0x94D049BB133111EB)
    return word ^ (word >> uint64(31))


@law
def bits_at(key: Key, row: int, counter: int) -> Any:
    """Return 64 random bits for (*key*, *row*, *counter*)."""
    word = _mix(uint64(key) + _GOLDEN * (uint64(row) + uint64(1)))
    return _mix(word + _GOLDEN * (uint64(counter) + uint64(1)))


@law
def uniform_at(key: Key, row: int, counter: int) -> float:
    """Return a uniform draw in [0, 1), a multiple of 2**-53."""
    return float((bits_at(key, row, counter) >> uint64(11)) * (1.0 / 9007199254740992.0))


@law
def below_at(key: Key, row: int, counter: int, high: int) -> int:
    """Return a draw from 0..high-1 (32 random bits scaled; *high* below 2**31)."""
    return int((bits_at(key, row, counter) >> uint64(32)) * uint64(high) >> uint64(32))


@law
def exponential_at(key: Key, row: int, counter: int, mean: float) -> float:
    """Return an exponential draw with *mean*; callers round it before use."""
    return float(-np.log(1.0 - uniform_at(key, row, counter)) * mean)


@law
def normal_at(key: Key, row: int, counter: int) -> float:
    """Return a standard normal draw (Box and Muller 1958); callers round it before use."""
    radius = np.sqrt(-2.0 * np.log(1.0 - uniform_at(key, row, 2 * counter)))
    return float(radius * np.cos(_TURN * uniform_at(key, row, 2 * counter + 1)))


@kernel
def _bits(key: Key, rows: IntArray, counters: IntArray, out: BitArray) -> None:
    for k in range(out.size):
        out[k] = bits_at(key, rows[k], counters[k])


@kernel
def _uniform(key: Key, rows: IntArray, counters: IntArray, out: FloatArray) -> None:
    for k in range(out.size):
        out[k] = uniform_at(key, rows[k], counters[k])


@kernel
def _below(key: Key, rows: IntArray, counters: IntArray, high: int, out: IntArray) -> None:
    for k in range(out.size):
        out[k] = below_at(key, rows[k], counters[k], high)


@kernel
def _normal(key: Key, rows: IntArray, counters: IntArray, out: FloatArray) -> None:
    for k in range(out.size):
        out[k] = normal_at(key, rows[k], counters[k])


@kernel
def _exponential(
    key: Key, rows: IntArray, counters: IntArray, mean: float, out: FloatArray
) -> None:
    for k in range(out.size):
        out[k] = exponential_at(key, rows[k], counters[k], mean)


@dataclass(frozen=True)
class Draws:
    """Random numbers bound to a *seed* and a *purpose*, asked for by (rows, counter).

    Rows are usually phones and the counter a round or a step; both broadcast, so
    ``draws.uniform(phones[:, None], np.arange(8))`` gives eight draws a phone.

    >>> draws = Draws(7, "selection")
    >>> bool((draws.uniform([3, 5], 0) == [draws.uniform(3, 0), draws.uniform(5, 0)]).all())
    True
    """

    seed: int
    purpose: str

    @property
    def key(self) -> Key:
        """The key of the numba functions ``*_at``: a hash of seed and purpose."""
        text = f"{self.seed}/{self.purpose}".encode()
        return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))

    def child(self, purpose: object) -> "Draws":
        """Return independent draws for a part of this purpose."""
        return Draws(self.seed, f"{self.purpose}/{purpose}")

    def bits(self, rows: Any, counter: Any) -> BitArray:
        """Return uint64 bits, broadcast over *rows* and *counter*."""
        row, count, shape = _pair(rows, counter)
        out = np.empty(row.size, np.uint64)
        _bits(self.key, row, count, out)
        return out.reshape(shape)

    def uniform(self, rows: Any, counter: Any) -> FloatArray:
        """Return floats in [0, 1), broadcast over *rows* and *counter*."""
        row, count, shape = _pair(rows, counter)
        out = np.empty(row.size, np.float64)
        _uniform(self.key, row, count, out)
        return out.reshape(shape)

    def integers(self, rows: Any, counter: Any, high: int) -> IntArray:
        """Return integers in [0, high), broadcast over *rows* and *counter*."""
        if not 0 < high < 2**31:
            raise ValueError(f"high must lie in 1..2**31-1, not {high}")
        row, count, shape = _pair(rows, counter)
        out = np.empty(row.size, np.int64)
        _below(self.key, row, count, high, out)
        return out.reshape(shape)

    def normal(self, rows: Any, counter: Any) -> FloatArray:
        """Return standard normal floats, broadcast over *rows* and *counter*."""
        row, count, shape = _pair(rows, counter)
        out = np.empty(row.size, np.float64)
        _normal(self.key, row, count, out)
        return out.reshape(shape)

    def exponential(self, rows: Any, counter: Any, mean: float) -> FloatArray:
        """Return exponential floats with *mean*, broadcast over *rows* and *counter*."""
        row, count, shape = _pair(rows, counter)
        out = np.empty(row.size, np.float64)
        _exponential(self.key, row, count, mean, out)
        return out.reshape(shape)

    def order(self, rows: IntArray, counter: int) -> IntArray:
        """Return *rows* in random order: by key, ties by row number."""
        return rows[np.lexsort((rows, self.bits(rows, counter)))]

    def choose(self, rows: IntArray, k: int, counter: int) -> IntArray:
        """Return the *k* of *rows* with the smallest keys, ties by row, sorted; all, if fewer."""
        if k >= rows.size:
            return np.sort(rows)
        keys = self.bits(rows, counter)
        smallest = np.argpartition(keys, k - 1)[:k] if k else np.empty(0, np.int64)
        if k and np.count_nonzero(keys <= keys[smallest].max()) > k:
            return np.sort(self.order(rows, counter)[:k])
        return np.sort(rows[smallest])


def _pair(rows: Any, counter: Any) -> tuple[IntArray, IntArray, tuple[int, ...]]:
    row, count = np.asarray(rows, np.int64), np.asarray(counter, np.int64)
    shape = np.broadcast_shapes(row.shape, count.shape)
    return _spread(row, shape), _spread(count, shape), shape


def _spread(values: IntArray, shape: tuple[int, ...]) -> IntArray:
    """Return *values* broadcast to *shape*, as one flat array in memory order."""
    if values.shape == shape:
        return np.ascontiguousarray(values).ravel()
    return np.broadcast_to(values, shape).flatten()
