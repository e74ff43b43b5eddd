"""Links between phones: declared powers, worked examples, contacts that are cut and resumed."""

import gzip
import json
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.network.direct import (
    BLUETOOTH_MA,
    DIRECT,
    WIFI_MA,
    DirectLink,
    contact,
    direct,
    in_reach,
)
from droidloop.platform.errors import ScenarioError
from droidloop.platform.units import NEVER_US, SECOND_US

times = st.integers(0, 10**13)
sizes = st.integers(0, 10**9)
names = st.sampled_from(list(DIRECT))


def law(name: str) -> Any:
    return DIRECT[name].row()[0]


@pytest.mark.parametrize(
    ("name", "seconds", "sender_j", "receiver_j"),
    [
        # set-up 5 s at 494 mW, then 8 Mbit at 25 Mbit/s: 0.32 s at 883 and 494 mW
        ("wifi-direct", 5.32, 2.47 + 0.2825, 2.47 + 0.1581),
        # 1.28 s at 57 mW, 8 / 1.4 s at 85.5 and 57 mW
        ("bluetooth", 6.9943, 0.0730 + 0.4886, 0.0730 + 0.3257),
        # 0.5 s at 57 mW, 8 / 0.3 s
        ("bluetooth-le", 27.1667, 0.0285 + 2.28, 0.0285 + 1.52),
    ],
)
def test_a_megabyte_takes_set_up_and_its_time_at_the_rate(
    name: str, seconds: float, sender_j: float, receiver_j: float
) -> None:
    end_us, moved, sender_uj, receiver_uj = contact(law(name), 0, NEVER_US, 1_000_000, False)
    assert moved == 1_000_000
    assert end_us / SECOND_US == pytest.approx(seconds, rel=1e-4)
    assert sender_uj / 1e6 == pytest.approx(sender_j, rel=1e-3)
    assert receiver_uj / 1e6 == pytest.approx(receiver_j, rel=1e-3)


def test_bluetooth_takes_less_for_small_parcels_and_wifi_for_large_ones() -> None:
    def both_uj(name: str, nbytes: int) -> int:
        return sum(contact(law(name), 0, NEVER_US, nbytes, False)[2:])

    assert both_uj("bluetooth", 100_000) < both_uj("wifi-direct", 100_000)
    assert both_uj("bluetooth", 20_000_000) > both_uj("wifi-direct", 20_000_000)


@given(names, times, st.integers(0, 10**10), sizes, st.booleans())
def test_a_contact_ends_in_time_and_moves_no_more_than_was_asked(
    name: str, start_us: int, length_us: int, nbytes: int, connected: bool
) -> None:
    link = law(name)
    end_us, moved, sender_uj, receiver_uj = contact(
        link, start_us, start_us + length_us, nbytes, connected
    )
    assert start_us <= end_us <= start_us + length_us
    assert 0 <= moved <= nbytes
    assert moved == nbytes or end_us == start_us + length_us
    assert 0 <= receiver_uj <= sender_uj
    if not connected and length_us < int(link["setup_us"]):
        assert moved == 0


@given(names, times, sizes, st.lists(st.integers(0, 10**9), max_size=6))
def test_a_contact_in_parts_is_the_whole_one(
    name: str, start_us: int, nbytes: int, cuts_us: list[int]
) -> None:
    """Once connected: exact to the byte, the microsecond and the microjoule."""
    link = law(name)
    whole = contact(link, start_us, NEVER_US, nbytes, True)
    t_us, left, energies = start_us, nbytes, [0, 0]
    for limit_us in [*(start_us + cut for cut in sorted(cuts_us)), NEVER_US]:
        t_us, moved, sender_uj, receiver_uj = contact(link, t_us, max(limit_us, t_us), left, True)
        left -= moved
        energies = [energies[0] + sender_uj, energies[1] + receiver_uj]
    assert (t_us, nbytes - left, *energies) == whole


def test_phones_are_in_reach_up_to_just_the_reach() -> None:
    link = law("bluetooth")
    assert in_reach(link, 3, 4, 9, 12)
    assert in_reach(link, 9, 12, 3, 4)
    assert not in_reach(link, 3, 4, 10, 12)
    assert in_reach(law("wifi-direct"), 3, 4, 10, 12)


def test_currents_are_the_medians_of_what_phones_declare(shared: Path) -> None:
    with gzip.open(shared / "data/devices/treble_power_profiles.json.gz", "rt") as file:
        phones = [phone["values"] for phone in json.load(file).values()]
    for ours, component in ((WIFI_MA, "wifi"), (BLUETOOTH_MA, "bluetooth")):
        for way, milliampere in ours.items():
            name = f"{component}.controller.{way}"
            # 2 and less: stock defaults
            declared = [v[name] for v in phones if isinstance(v.get(name), float) and v[name] > 2]
            assert len(declared) >= 50
            assert median(declared) == pytest.approx(milliampere, abs=0.01)


def test_links_without_rate_or_with_negative_powers_are_refused() -> None:
    with pytest.raises(ValueError, match="a rate and a reach"):
        DirectLink(0.0, 10, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="must not be negative"):
        DirectLink(1.0, 10, 1.0, 1.0, -1.0, 1.0)


def test_an_unknown_link_is_refused_with_the_known_ones() -> None:
    assert direct("bluetooth") is DIRECT["bluetooth"]
    with pytest.raises(
        ScenarioError, match="'nfc': no such link; there are wifi-direct, bluetooth"
    ):
        direct("nfc")
