"""The fewest bytes from what a phone has to what it gets."""

import itertools

import pytest

from droidloop.models.updates.stock import Stock
from tests.models.updates.conftest import Maker, versioned


@pytest.fixture(scope="module")
def stock() -> Stock:
    """Four versions, each a little changed."""
    made = Stock(leap=1)
    for version in (1, 2, 3, 4):
        made.add(versioned(version))
    return made


def test_a_phone_without_a_version_takes_the_whole(stock: Stock) -> None:
    assert stock.way("int8", (-1, ""), 4) == (stock.whole_bytes("int8", 4), [])


def test_a_phone_with_another_variant_takes_the_whole(stock: Stock) -> None:
    assert stock.way("int8", (3, "float32"), 4) == (stock.whole_bytes("int8", 4), [])


def test_a_phone_one_version_behind_takes_a_patch(stock: Stock) -> None:
    size, path = stock.way("int8", (3, "int8"), 4)
    assert path == [4]
    assert size < stock.whole_bytes("int8", 4)


def test_a_phone_three_versions_behind_takes_a_chain_or_the_whole_whichever_is_less(
    stock: Stock,
) -> None:
    chain = sum(stock.patch_bytes("int8", v, v + 1) for v in (1, 2, 3))
    whole = stock.whole_bytes("int8", 4)
    size, path = stock.way("int8", (1, "int8"), 4)
    assert size == min(chain, whole)
    assert path == ([2, 3, 4] if chain <= whole else [])


@pytest.mark.parametrize("leap", [1, 2, 3])
def test_no_other_way_takes_less(stock: Stock, leap: int) -> None:
    """Against all ways, counted one by one."""
    made = Stock(leap=leap, packages=stock.packages)
    costs = [made.whole_bytes("int8", 4)]
    for k in range(3):
        for between in itertools.combinations((2, 3), k):
            stops = (1, *between, 4)
            if all(b - a <= leap for a, b in itertools.pairwise(stops)):
                pairs = itertools.pairwise(stops)
                costs.append(sum(made.patch_bytes("int8", a, b) for a, b in pairs))
    assert made.way("int8", (1, "int8"), 4)[0] == min(costs)


def test_without_patches_everybody_takes_the_whole(stock: Stock) -> None:
    made = Stock(patches=False, packages=stock.packages)
    assert made.way("int8", (3, "int8"), 4) == (made.whole_bytes("int8", 4), [])


def test_sizes_are_those_of_real_files_but_for_the_archive(maker: Maker, stock: Stock) -> None:
    """ZIP takes 30 + 46 bytes and two names a file, and 22 at the end (APPNOTE 4.3)."""
    base = versioned(3).part("int8")
    path = maker.file(versioned(4), "4.patch", variants=["int8"], base=base)
    extra = path.stat().st_size - stock.patch_bytes("int8", 3, 4)
    assert 0 < extra < 8 * (30 + 46 + 2 * 40) + 22
