"""Patches: every way gives the file back, the smallest is taken, and none asks for too much."""

import bz2
import tracemalloc
from collections.abc import Callable

import bsdiff4
import numpy as np
import pytest
import zstandard
from bsdiff4.core import encode_int64
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.models.updates.delta import (
    BSDIFF,
    BSDIFF_LIMIT_BYTES,
    DICTIONARY,
    SPARSE,
    WHOLE,
    ZSTD,
    deltas,
    restored,
    smallest,
    sparse,
)
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError
from tests.models.updates.conftest import weights


@given(st.binary(max_size=300), st.binary(min_size=1, max_size=300))
@settings(max_examples=200)
def test_every_way_gives_the_file_back(old: bytes, new: bytes) -> None:
    for way, data in deltas(old, new).items():
        assert restored(way, data, old, len(new), "p") == new


@given(st.binary(min_size=50, max_size=400), st.data())
@settings(max_examples=200)
def test_edits_of_a_file_come_back(old: bytes, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(old)))
    new = old[cut:] + data.draw(st.binary(max_size=20)) + old[:cut] + b"!"
    for way, made in deltas(old, new).items():
        assert restored(way, made, old, len(new), "p") == new


@given(st.binary(min_size=1, max_size=2000), st.data())
@settings(max_examples=100)
def test_bytes_that_are_others_come_back(old: bytes, data: st.DataObject) -> None:
    new, places = bytearray(old), st.integers(0, len(old) - 1)
    for place in data.draw(st.lists(places, max_size=6)):
        new[place] ^= 255
    assert restored(SPARSE, deltas(old, bytes(new))[SPARSE], old, len(new), "p") == bytes(new)


def test_codes_that_change_here_and_there_take_few_bytes_that_way() -> None:
    draws, places = Draws(3, "codes"), np.arange(20_000)
    codes = (draws.uniform(places, 0) * 32).astype(np.uint8)
    others = (draws.uniform(places, 1) * 32).astype(np.uint8)
    new = np.where(draws.uniform(places, 2) < 0.2, others, codes)
    assert smallest(codes.tobytes(), new.tobytes()).way == SPARSE
    with pytest.raises(PackageError, match="another size"):
        restored(SPARSE, sparse(codes.tobytes(), new.tobytes()), b"short", 20_000, "p")


def test_bsdiff_patches_are_the_format_of_others() -> None:
    old, new = weights(1), weights(2)
    assert bsdiff4.patch(old, deltas(old, new)[BSDIFF]) == new


def test_the_smallest_way_is_taken() -> None:
    old, new = weights(1), weights(2)
    sizes = {way: len(data) for way, data in deltas(old, new).items()}
    assert smallest(old, new).way == min(sizes, key=lambda way: sizes[way]) == BSDIFF
    assert smallest(old, old).way == DICTIONARY
    assert smallest(b"", b"\x07\xd3A").way == WHOLE
    assert smallest(b"", b"a" * 1000).way == ZSTD


def test_rounded_weights_of_which_some_changed_take_a_fraction_of_the_file() -> None:
    assert len(smallest(weights(1), weights(2)).data) < len(weights(2)) / 3


def test_a_large_pair_is_not_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("droidloop.models.updates.delta.BSDIFF_LIMIT_BYTES", 100)
    assert BSDIFF not in deltas(b"a" * 60, b"b" * 60)


def header(control: int, difference: int, size: int) -> bytes:
    return b"BSDIFF40" + b"".join(encode_int64(n) for n in (control, difference, size))


def zeros(size: int) -> bytes:
    """Return as many zeros as little data."""
    return zstandard.ZstdCompressor().compress(b"\0" * size)


def grows() -> bytes:
    """Return a difference of a hundred megabytes for a file of a thousand bytes."""
    nothing = bz2.compress(b"")
    return header(len(nothing), 10**4, 1000) + nothing + bz2.compress(b"\0" * 10**8)


@pytest.mark.parametrize(
    ("way", "made"),
    [
        (ZSTD, lambda: zeros(10**9)),
        (DICTIONARY, lambda: zeros(10**9)),
        (BSDIFF, grows),
        (BSDIFF, lambda: header(40, 40, 2**60) + b"x" * 99),
        (BSDIFF, lambda: header(2**60, 2**60, 1000)),
        (BSDIFF, lambda: header(-5, -5, 1000) + b"x" * 99),
        (BSDIFF, lambda: b"BSDIFF40"),
        (BSDIFF, bytes),
        (SPARSE, bytes),
        (SPARSE, lambda: (2**31).to_bytes(4, "little") + b"x" * 99),
        (ZSTD, bytes),
        (WHOLE, lambda: b"short"),
    ],
)
def test_a_patch_that_grows_without_end_is_refused_in_little_memory(
    way: str, made: Callable[[], bytes]
) -> None:
    data = made()
    tracemalloc.start()
    try:
        with pytest.raises(PackageError, match=r"p: (is damaged|gives another size)"):
            restored(way, data, b"old" * 100, 1000, "p")
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@given(st.binary(max_size=100))
def test_steps_that_lead_out_of_the_file_are_refused(noise: bytes) -> None:
    steps = b"".join(encode_int64(n) for n in (500, 600, -(2**40)))
    blocks = [bz2.compress(part) for part in (steps, noise, noise)]
    header = b"".join(encode_int64(n) for n in (len(blocks[0]), len(blocks[1]), 1000))
    with pytest.raises(PackageError, match="reaches beyond its parts"):
        restored(BSDIFF, b"BSDIFF40" + header + b"".join(blocks), b"old", 1000, "p")


def test_a_patch_for_larger_files_than_are_patched_so_is_refused() -> None:
    data = b"BSDIFF40" + b"".join(encode_int64(n) for n in (0, 0, BSDIFF_LIMIT_BYTES))
    with pytest.raises(PackageError, match="larger files than are patched in this way"):
        restored(BSDIFF, data, b"o", BSDIFF_LIMIT_BYTES, "p")
