"""Radios of a population: which ones there are by year, their long-term rates, their quality."""

from dataclasses import dataclass, replace

import numpy as np

from droidloop.devices.phone.world import Table
from droidloop.network.loss import QUALITY, QUALITY_DTYPE
from droidloop.network.presets import PRESETS, preset
from droidloop.network.radio import RADIO_DTYPE
from droidloop.network.slow_start import INITIAL_WINDOW_BYTES

MBIT = 125_000
"""Bytes per second in 1 Mbit/s."""


@dataclass(frozen=True)
class RateLaw:
    """Long-term link rates of phones: log-normal, by median and spread of the logarithm."""

    down_mbps: float
    up_mbps: float
    sigma: float = 0.6


# Medians: Oslo commutes on 3G (Riiser et al., MMSys 2013: mean 1.0 Mbit/s), Irish drives on LTE and
# on 5G (Raca et al., MMSys 2020: means 11.1 and 46.2), and home WiFi as fast as a common DSL line.
# All are throughput of applications, what losses leave. 5G's uplink: LTE's share (network.uplink).
RATES = {
    "3g": RateLaw(1.0, 0.35),
    "lte": RateLaw(10.0, 3.0),
    "5g": RateLaw(40.0, 10.4),
    "wifi": RateLaw(20.0, 8.0),
}

DEFAULT_RADIOS = {
    "2009": {"3g": 1.0},
    "2011": {"3g": 1.0},
    "2012": {"3g": 0.3, "lte": 0.7},
    "2021": {"lte": 0.5, "5g": 0.5},
}
"""Cellular radios of phones by the year of their powers: assumed, not measured."""


def technology(radio: str) -> str:
    """Return the technology of *radio*, a name of a preset: ``3g`` of ``3g-i997``."""
    return radio.partition("-")[0]


def cellular_radios(year: str) -> list[str]:
    """Return the cellular radios measured in *year* whose rates are known (not GSM, not mmWave)."""
    return [
        name
        for name in PRESETS[year]
        if technology(name) in RATES and not name.startswith("wifi") and name != "5g-mmwave"
    ]


def radio_rows(year: str, radios: list[str], *, slow_start: bool = False) -> Table:
    """Return the rows of *radios* and WiFi, all of *year*; new connections may start slowly.

    Raises:
        ScenarioError: a radio was not measured in that year.
    """
    window_bytes = INITIAL_WINDOW_BYTES if slow_start else 0
    names = [*radios, "wifi"]
    rows = [replace(preset(year, name), window_bytes=window_bytes).row() for name in names]
    return np.concatenate(rows).astype(RADIO_DTYPE)


def quality_rows(radios: list[str]) -> Table:
    """Return round trips and losses of *radios* and WiFi, parallel to ``radio_rows``."""
    rows = [QUALITY[technology(name)].row() for name in [*radios, "wifi"]]
    return np.concatenate(rows).astype(QUALITY_DTYPE)
