"""Masks of a pair of phones, compiled: streams of bits that one adds and the other takes off."""

import numpy as np
from numba import uint64

from droidloop.platform.arrays import IntArray, UInt64Array
from droidloop.platform.draws import bits_at
from droidloop.platform.law import kernel


@kernel
def add_stream(seed: np.uint64, first: int, sign: int, out: UInt64Array) -> None:
    """Add (*sign* 1) or take off (-1) the numbers of *seed* from place *first* on, modulo 2^64."""
    for t in range(out.size):
        bits = bits_at(seed, first + t, 0)
        out[t] = out[t] + bits if sign > 0 else out[t] - bits


@kernel
def mask_all(
    low: int,
    high: int,
    senders: IntArray,
    partners: IntArray,
    seeds: UInt64Array,
    first: int,
    out: UInt64Array,
) -> None:
    """Mask the rows *low*..*high* - 1 of *out*, (messages, numbers).

    Message k has the partners ``partners[k]``, -1 where there is none, and shares ``seeds[k]`` with
    them. Of two phones the one with the lower number adds.
    """
    for k in range(low, high):
        for p in range(partners.shape[1]):
            if partners[k, p] >= 0:
                sign = 1 if senders[k] < partners[k, p] else -1
                add_stream(uint64(seeds[k, p]), first, sign, out[k])
