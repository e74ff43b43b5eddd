"""Which variant a phone gets, and why it gets none."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.devices.population.profiles import GIB, PROFILES
from droidloop.models.packages.package import Package
from droidloop.models.tables.dense import DenseTable
from droidloop.models.updates.choice import (
    Limits,
    Offer,
    Refusal,
    choose,
    explain,
    offer_of,
    ordered,
)

BIG = Offer("float32", 14, 4000, 400, 400, 90)
SMALL = Offer("int8", 14, 1000, 100, 100, 30)
NEW = Offer("int4", 203, 500, 50, 50, 40)
ALL = [BIG, SMALL, NEW]


def chosen(**limits: int) -> tuple[str, Refusal]:
    (taken,), (why,) = choose(ALL, Limits.of_one(**limits))
    return ALL[taken].name if taken >= 0 else "", Refusal(int(why))


def test_a_phone_without_limits_gets_what_is_nearest_to_the_model() -> None:
    assert chosen() == ("float32", Refusal.NONE)


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"ram_bytes": 3999}, "int8"),
        ({"ram_bytes": 999}, "int4"),
        ({"storage_bytes": 399}, "int8"),
        ({"budget_bytes": 99}, "int4"),
        ({"latency_us": 89}, "int8"),
        ({"runtime": 14}, "float32"),
        (
            {"ram_bytes": 4000, "storage_bytes": 400, "budget_bytes": 400, "latency_us": 90},
            "float32",
        ),
    ],
)
def test_a_limit_leaves_the_next_variant(limits: dict[str, int], name: str) -> None:
    assert chosen(**limits)[0] == name


@pytest.mark.parametrize(
    ("limits", "why", "words"),
    [
        ({"runtime": 13}, Refusal.RUNTIME, "int4 needs runtime 203, it has 13; update"),
        ({"ram_bytes": 499}, Refusal.RAM, "int4 needs 500 bytes of RAM, it has 499; bring"),
        ({"storage_bytes": 49}, Refusal.STORAGE, "int4 needs 50 bytes of storage, it has 49; free"),
        ({"budget_bytes": 49}, Refusal.BUDGET, "int4 takes 50 bytes to fetch, 49 are left; wait"),
        ({"latency_us": 20}, Refusal.LATENCY, "int4 takes 40 us, 20 are the most; bring a faster"),
    ],
)
def test_a_phone_that_gets_none_is_told_why(
    limits: dict[str, int], why: Refusal, words: str
) -> None:
    assert chosen(**limits) == ("", why)
    assert words in explain(NEW, Limits.of_one(**limits), why)


def test_many_phones_are_each_chosen_for_as_if_alone() -> None:
    rams = np.array([100, 700, 2000, 5000])
    many = replace(
        Limits.of_one(),
        **{
            name: np.full(4, 2**40)
            for name in ("runtime", "storage_bytes", "budget_bytes", "latency_us")
        },
        ram_bytes=rams,
    )
    taken, _ = choose([replace(BIG, fetch_bytes=np.full(4, 400)), SMALL, NEW], many)
    assert taken.tolist() == [-1, 2, 1, 0]


def test_variants_are_ordered_by_precision_and_weighed_by_their_figures(package: Package) -> None:
    assert ordered(package) == ["float32", "float16", "int8", "int8-dynamic", "int4"]
    offer = offer_of(package, "int8-dynamic")
    assert (offer.runtime, offer.fetch_bytes) == (100, package.delivery_bytes("int8-dynamic"))
    assert offer.ram_bytes == package.variant("int8-dynamic").ram_bytes


def test_ten_million_items_are_refused_by_every_phone_of_six_gigabytes_with_the_reason() -> None:
    table = DenseTable(10_000_000, 128)
    assert table.nbytes == 5_120_000_000
    offer = Offer("float32", 14, table.nbytes, table.nbytes, table.nbytes)
    small = [profile for profile in PROFILES.values() if profile.ram_gib <= 6]
    assert small
    for profile in small:
        free = round((profile.ram_gib - profile.system_ram_gib) * GIB)
        limits = Limits.of_one(ram_bytes=free)
        (taken,), (why,) = choose([offer], limits)
        assert (taken, why) == (-1, Refusal.RAM)
        words = explain(offer, limits, Refusal(int(why)))
        assert words == (
            f"float32 needs 5120000000 bytes of RAM, it has {free}; bring a smaller variant"
        )
