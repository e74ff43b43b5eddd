"""Binary patches: a file as what differs from one that the phone has.

Four ways, and the smallest for the pair is taken: zstandard with the old file as its dictionary,
bsdiff (Percival, Naive differences of executable code, 2003), which sees small changes of
numbers, zstandard alone, and, of files of one size, which bytes are others: what learned patches
leave, which change codes here and there. All but the last are formats that other programs read.

Nothing in a patch is believed: what comes out has a size that was known before, and is bounded
while it is made.
"""

import bz2
from collections.abc import Callable
from typing import NamedTuple

import bsdiff4
import numpy as np
import zstandard
from bsdiff4.core import decode_int64

from droidloop.platform.arrays import Array
from droidloop.platform.errors import PackageError

WHOLE, ZSTD, DICTIONARY, BSDIFF, SPARSE = "", ".zst", ".zstd", ".bsdiff", ".sparse"
"""As it is; compressed; compressed with the old file as dictionary; bsdiff's own format; gaps
between the bytes that are others, then these bytes, apart by their place in four (numbers of 32
bits have sign and size in the last), each part compressed and after its length."""
WAYS = (WHOLE, ZSTD, DICTIONARY, BSDIFF, SPARSE)

BSDIFF_LIMIT_BYTES = 2**24
"""Of old and new together: sorting suffixes takes 16 times the memory (two arrays of int64)."""

_LEVEL = 19  # the highest that needs no more memory than the window
_WINDOW_LOG = 27  # the most that a decoder grants unasked, zstd(1) --long
_MAGIC, _HEADER, _STEP = b"BSDIFF40", 32, 24
_FAR, _LENGTH, _PLANES = 255, 4, 4


class Delta(NamedTuple):
    """How a file is made from another: the way, and its bytes."""

    way: str
    data: bytes


def deltas(old: bytes, new: bytes) -> dict[str, bytes]:
    """Return *new* in each way that there is, given *old* (empty: the phone has none)."""
    found = {WHOLE: new, ZSTD: _compressor(b"", new).compress(new)}
    if old:
        found[DICTIONARY] = _compressor(old, new).compress(new)
        if len(old) + len(new) <= BSDIFF_LIMIT_BYTES:
            found[BSDIFF] = bsdiff4.diff(old, new)
        if len(old) == len(new):
            found[SPARSE] = sparse(old, new)
    return found


def smallest(old: bytes, new: bytes) -> Delta:
    """Return the way with the fewest bytes; among equals the first."""
    found = deltas(old, new)
    way = min(found, key=lambda one: len(found[one]))
    return Delta(way, found[way])


def restored(way: str, data: bytes, old: bytes, size_bytes: int, place: str) -> bytes:
    """Return the file of *size_bytes* that *data* make of *old*; *place* names them in errors.

    No more memory is taken than some times what *old*, *data* and *size_bytes* are.

    Raises:
        PackageError: they make no such file.
    """
    ways: dict[str, Callable[[bytes, bytes, int], bytes]] = {
        WHOLE: lambda data, old, size: data,
        ZSTD: lambda data, old, size: _decompressed(data, b"", size),
        DICTIONARY: _decompressed,
        BSDIFF: _patched,
        SPARSE: _filled,
    }
    try:
        made = ways[way](data, old, size_bytes)
    except (zstandard.ZstdError, OSError, EOFError, ValueError, MemoryError) as error:
        raise PackageError(f"{place}: is damaged ({error}); fetch it again") from error
    if len(made) != size_bytes:
        raise PackageError(f"{place}: gives another size than was signed; fetch it again")
    return made


def _dictionary(old: bytes) -> zstandard.ZstdCompressionDict | None:
    return zstandard.ZstdCompressionDict(old, zstandard.DICT_TYPE_RAWCONTENT) if old else None


def _compressor(old: bytes, new: bytes) -> zstandard.ZstdCompressor:
    window = _window_log(len(old) + len(new))
    parameters = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, window_log=window, enable_ldm=bool(old)
    )
    return zstandard.ZstdCompressor(dict_data=_dictionary(old), compression_params=parameters)


def _window_log(size_bytes: int) -> int:
    """Return the window that sees all of *size_bytes*; a decoder grants no more than that."""
    return min(_WINDOW_LOG, max(10, size_bytes.bit_length()))


def _decompressed(data: bytes, old: bytes, size_bytes: int) -> bytes:
    window = 2 ** _window_log(len(old) + size_bytes)
    decompressor = zstandard.ZstdDecompressor(dict_data=_dictionary(old), max_window_size=window)
    with decompressor.stream_reader(data) as reader:
        return reader.read(size_bytes + 1)


def sparse(old: bytes, new: bytes) -> bytes:
    """Return where *new* differs from *old*, of its size, and how.

    A gap of ``_FAR`` bytes has none behind it.
    """
    before, after = np.frombuffer(old, np.uint8), np.frombuffer(new, np.uint8)
    places = np.flatnonzero(before != after)
    gaps = np.diff(places, prepend=-1) - 1
    far = gaps // _FAR
    ends = np.cumsum(far + 1)
    steps = np.full(int(ends[-1]) if len(ends) else 0, _FAR, np.uint8)
    steps[ends - 1] = gaps % _FAR
    planes = [after[places[places % _PLANES == one]] for one in range(_PLANES)]
    parts = [_compressor(b"", one).compress(one) for one in (a.tobytes() for a in (steps, *planes))]
    return b"".join(len(one).to_bytes(_LENGTH, "little") + one for one in parts)


def _filled(data: bytes, old: bytes, size_bytes: int) -> bytes:
    if len(old) != size_bytes:
        raise ValueError("it is for a file of another size")
    parts = []
    for _ in range(1 + _PLANES):
        end = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
        packed, data = data[_LENGTH:end], data[end:]
        parts.append(np.frombuffer(_decompressed(packed, b"", size_bytes), np.uint8))
    steps, *planes = parts
    near = steps < _FAR
    places = np.cumsum(steps.astype(np.int64) + near)[near] - 1
    if places.max(initial=0) >= size_bytes:
        raise ValueError("it reaches beyond the file")
    new = np.frombuffer(old, np.uint8).copy()
    for one, values in enumerate(planes):
        new[places[places % _PLANES == one]] = values
    return new.tobytes()


def _patched(data: bytes, old: bytes, size_bytes: int) -> bytes:
    """Apply a patch of bsdiff's format; the library's own code takes any size that it names."""
    if not data.startswith(_MAGIC) or len(data) < _HEADER:
        raise ValueError("no patch of bsdiff")
    control_size, diff_size, new_size = (decode_int64(data[k : k + 8]) for k in (8, 16, 24))
    if new_size != size_bytes or min(control_size, diff_size) < 0:
        raise ValueError("its header names other sizes")
    if len(old) + size_bytes > BSDIFF_LIMIT_BYTES:
        raise ValueError("it is for larger files than are patched in this way")
    ends = np.cumsum([_HEADER, control_size, diff_size]).tolist()
    blocks = (data[ends[0] : ends[1]], data[ends[1] : ends[2]], data[ends[2] :])
    # bsdiff begins a step only for a match that is more than 8 bytes better
    limits = (_STEP * (size_bytes // 8 + 2), size_bytes, size_bytes)
    control, diff, extra = (
        np.frombuffer(_unpacked(block, limit), np.uint8)
        for block, limit in zip(blocks, limits, strict=True)
    )
    return _followed(control, diff, extra, np.frombuffer(old, np.uint8), size_bytes)


def _unpacked(block: bytes, limit: int) -> bytes:
    decompressor = bz2.BZ2Decompressor()
    made = decompressor.decompress(block, limit + 1)
    if len(made) > limit:
        raise ValueError("a part of it has no end")
    return made


def _followed(control: Array, diff: Array, extra: Array, old: Array, size_bytes: int) -> bytes:
    """Follow *control*: bytes of *old* plus *diff*, then of *extra*, then a move in *old*."""
    new = np.zeros(size_bytes, np.uint8)
    at, from_, in_diff, in_extra = 0, 0, 0, 0
    raw = control.tobytes()
    for k in range(0, len(raw) - _STEP + 1, _STEP):
        add, copy, move = (decode_int64(raw[j : j + 8]) for j in (k, k + 8, k + 16))
        inside = 0 <= add <= len(diff) - in_diff and 0 <= copy <= len(extra) - in_extra
        if not inside or add + copy > size_bytes - at:
            raise ValueError("it reaches beyond its parts")
        # bsdiff lets a step begin before the old file or end behind it: nothing is added there
        low, high = max(0, -from_), min(add, len(old) - from_)
        new[at : at + add] = diff[in_diff : in_diff + add]
        if high > low:
            new[at + low : at + high] += old[from_ + low : from_ + high]
        at, in_diff = at + add, in_diff + add
        new[at : at + copy] = extra[in_extra : in_extra + copy]
        at, in_extra, from_ = at + copy, in_extra + copy, from_ + add + move
    if at != size_bytes:
        raise ValueError("it ends early")
    return new.tobytes()
