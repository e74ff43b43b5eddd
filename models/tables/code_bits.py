"""Codes as bits, each as many as it needs, the first lowest."""

import numpy as np

from droidloop.platform.arrays import IntArray


def bits_each(choices: int) -> int:
    """Return how many bits tell *choices* apart; at least one."""
    return max(1, (choices - 1).bit_length())


def code_bytes(count: int, choices: int) -> int:
    """Return the bytes of *count* codes below *choices*."""
    return -(-count * bits_each(choices) // 8)


def packed_codes(codes: IntArray, choices: int) -> bytes:
    """Return *codes*, all below *choices*, row by row."""
    bits = codes.reshape(-1, 1) >> np.arange(bits_each(choices)) & 1
    return np.packbits(bits.astype(np.uint8), bitorder="little").tobytes()


def unpacked_codes(data: bytes, count: int, choices: int) -> IntArray:
    """Return the *count* codes of ``packed_codes``; they may be *choices* and more."""
    each = bits_each(choices)
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * each, bitorder="little")
    codes: IntArray = (bits.astype(np.int64).reshape(-1, each) << np.arange(each)).sum(axis=1)
    return codes


def collisions(codes: IntArray) -> int:
    """Return how many ids have all the codes of another id before them; *codes* are (n, codes).

    Codes that are learned may be equal, where those that are computed from the id never are.

    >>> collisions(np.array([[1, 2], [0, 2], [1, 2], [1, 2]]))
    2
    """
    return len(codes) - len(np.unique(codes, axis=0))
