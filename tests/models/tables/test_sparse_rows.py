"""Pruned vectors: bytes of each form by its formula, back as they were, refused where broken."""

import numpy as np
import pytest

from droidloop.models.tables.sparse_rows import decode, encode, sizes, smallest
from droidloop.platform.arrays import BoolArray, Float32Array
from droidloop.platform.draws import Draws
from droidloop.platform.errors import PackageError

DRAWS = Draws(6, "sparse")
FORMS = ("dense", "coordinates", "rows", "bits")


def some(n: int, dim: int, share: float) -> tuple[Float32Array, BoolArray]:
    at = np.arange(n)[:, None], np.arange(dim)
    values = DRAWS.normal(*at).astype(np.float32)
    return values, DRAWS.child("kept").uniform(*at) < share


def test_the_index_of_a_pruned_table_costs_two_fifths_of_its_numbers() -> None:
    """methods.md B4: 90 % pruned, rows of 1-byte columns and 4-byte offsets, ml-1m."""
    found, numbers = sizes(3706, 64, 23_719)["rows"], 4 * 23_719
    assert found == 133_423
    assert round(found / numbers, 2) == 1.41


def test_what_is_smallest_changes_with_what_is_kept() -> None:
    found = [smallest(10_000, 64, kept) for kept in (100, 20_000, 400_000, 640_000)]
    assert found == ["coordinates", "rows", "bits", "dense"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("n", "dim", "share"), [(30, 12, 0.3), (7, 300, 0.05), (5, 9, 1.0)])
def test_every_form_takes_the_bytes_of_its_formula_and_gives_the_numbers_back(
    form: str, n: int, dim: int, share: float
) -> None:
    values, kept = some(n, dim, share)
    data = encode(form, values, kept)  # type: ignore[arg-type]
    assert len(data) == sizes(n, dim, int(kept.sum()))[form]  # type: ignore[index]
    back = decode(form, data, n, dim, int(kept.sum()))  # type: ignore[arg-type]
    np.testing.assert_array_equal(back, np.where(kept, values, 0))


def test_a_number_that_is_kept_may_be_zero() -> None:
    values, kept = some(8, 8, 0.5)
    values[kept] = 0
    for form in FORMS:
        data = encode(form, values, kept)  # type: ignore[arg-type]
        assert not decode(form, data, 8, 8, int(kept.sum())).any()  # type: ignore[arg-type]


@pytest.mark.parametrize("form", FORMS[1:])
def test_a_place_outside_or_filled_twice_is_refused(form: str) -> None:
    values, kept = some(20, 10, 0.4)
    count = int(kept.sum())
    data = bytearray(encode(form, values, kept))  # type: ignore[arg-type]
    errors = []
    for place in range(len(data)):
        broken = data.copy()
        broken[place] ^= 0xFF
        try:
            back = decode(form, bytes(broken), 20, 10, count)  # type: ignore[arg-type]
        except PackageError as error:
            errors.append(str(error))
        else:
            assert back.shape == (20, 10)
    assert not any("\n" in error for error in errors)
    assert len(errors) >= len(data) - 4 * count - count  # numbers may be any, and some columns
    with pytest.raises(PackageError, match="bytes; pack them again"):
        decode(form, bytes(data[:-1]), 20, 10, count)  # type: ignore[arg-type]
