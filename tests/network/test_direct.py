"""Links between phones: declared powers, and what is refused."""

import gzip
import json
from pathlib import Path
from statistics import median

import pytest

from droidloop.network.direct import (
    BLUETOOTH_MA,
    DIRECT,
    WIFI_MA,
    DirectLink,
    direct,
)
from droidloop.platform.errors import ScenarioError


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
