"""Makes bad inputs of good ones: a pure function of the good ones and a number."""

from collections.abc import Callable, Sequence

import numpy as np

WORDS = (
    *(b"", b"0", b"-1", b"1e308", b"nan", b"inf", b"9" * 400, b"-" * 9, b"\0" * 16, b"\xff" * 8),
    *(b"\n", b"\r", b"\r\n", b'"', b"'", b"[" * 3000, b"{", b"}", b"]", b",", b";", b":", b"="),
    *(b"\x1b[31m", "région".encode(), b"\xc3\x28", b"../" * 9, b"%s%n", b"2147483648", b"null"),
    *(b"9223372036854775808", b"4294967295", b"1" + b"0" * 5000, b"a" * 70_000, b"true", b"#"),
)
Change = Callable[[bytes, np.random.Generator, Sequence[bytes]], bytes]


def _place(data: bytes, chance: np.random.Generator) -> int:
    return int(chance.integers(len(data) + 1))


def _bits(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for at in chance.integers(max(len(data), 1), size=int(chance.integers(1, 9))) if data else ():
        changed[at] ^= 1 << int(chance.integers(8))
    return bytes(changed)


def _bytes(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    at = _place(data, chance)
    return data[:at] + chance.bytes(int(chance.integers(1, 9))) + data[at + 4 :]


def _cut(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    return data[: _place(data, chance)]


def _out(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    low, high = sorted((_place(data, chance), _place(data, chance)))
    return data[:low] + data[high:]


def _twice(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    low, high = sorted((_place(data, chance), _place(data, chance)))
    return data[:high] + data[low:]


def _word(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    at, word = _place(data, chance), WORDS[int(chance.integers(len(WORDS)))]
    return data[:at] + word + data[at + int(chance.integers(9)) :]


def _number(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    """Put a word in the place of one of the numbers that stand in a text."""
    places = [k for k, byte in enumerate(data[:100_000]) if chr(byte).isdigit()]
    if not places:
        return _word(data, chance, good)
    low = high = places[int(chance.integers(len(places)))]
    while high < len(data) and chr(data[high]).isdigit():
        high += 1
    return data[:low] + WORDS[int(chance.integers(len(WORDS)))] + data[high:]


def _joined(data: bytes, chance: np.random.Generator, good: Sequence[bytes]) -> bytes:
    other = good[int(chance.integers(len(good)))]
    return data[: _place(data, chance)] + other[_place(other, chance) :]


CHANGES: tuple[Change, ...] = (_bits, _bytes, _cut, _out, _twice, _word, _number, _joined)


def mutated(good: Sequence[bytes], number: int) -> bytes:
    """Return the bad input of that *number*: a good one, changed one to three times."""
    chance = np.random.Generator(np.random.Philox(number))
    data = good[int(chance.integers(len(good)))]
    for _ in range(int(chance.integers(1, 4))):
        data = CHANGES[int(chance.integers(len(CHANGES)))](data, chance, good)
    return data
