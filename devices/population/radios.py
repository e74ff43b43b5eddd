"""Radios of a population: which ones there are by year, their long-term rates, their quality."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from droidloop.devices.phone.world import Table
from droidloop.network.loss import QUALITY, QUALITY_DTYPE
from droidloop.network.presets import PRESETS, preset, year_of
from droidloop.network.radio import RADIO_DTYPE
from droidloop.network.slow_start import INITIAL_WINDOW_BYTES
from droidloop.platform.arrays import FloatArray, IntArray

BY_PHONE = "phone"
"""The year of radios that follow each phone's own."""

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
# All are throughput of applications, what losses leave. Uplinks of LTE and 5G: shares of 2022
# (network.uplink).
RATES = {
    "3g": RateLaw(1.0, 0.35),
    "lte": RateLaw(10.0, 3.6),
    "5g": RateLaw(40.0, 5.2),
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


def radios_of(phone_year: int) -> dict[str, float]:
    """Return the cellular radios of phones of *phone_year*, by weight: 5G from 2020 on.

    Assumed, as ``DEFAULT_RADIOS`` are.
    """
    if phone_year < 2014:
        return DEFAULT_RADIOS["2012"]
    return DEFAULT_RADIOS["2021"] if phone_year >= 2020 else {"lte": 1.0}


def cellular_radios(year: str) -> list[str]:
    """Return the cellular radios measured in *year* whose rates are known (not GSM, not mmWave).

    *year* may be ``BY_PHONE``: of any year.
    """
    years = list(PRESETS) if year == BY_PHONE else [year]
    names = dict.fromkeys(name for one in years for name in PRESETS[one])
    return [
        name
        for name in names
        if technology(name) in RATES and not name.startswith("wifi") and name != "5g-mmwave"
    ]


@dataclass(frozen=True)
class RadioTable:
    """The radios of a population, the cellular ones first, and who has which.

    Attributes:
        names: of the cellular rows.
        rows: of the cellular radios, then of WiFi.
        chances: for each profile the weight of each cellular row.
        wifi: for each profile the row of its WiFi.
    """

    names: list[str]
    rows: Table
    chances: FloatArray
    wifi: IntArray


def radio_table(
    year: str,
    phone_years: Sequence[int],
    weights: dict[str, float] | None,
    *,
    operator: str = "verizon",
    slow_start: bool = False,
) -> RadioTable:
    """Return the radios of profiles of *phone_years*; new connections may start slowly.

    *year* is that of the powers, of all phones; or ``BY_PHONE``, and each phone has the powers of
    the year nearest to its own. *weights* are those of all profiles, if given.

    Raises:
        ScenarioError: a radio was not measured in that year.
    """

    def measured(name: str, phone_year: int) -> tuple[str, str]:
        return (year_of(name, phone_year) if year == BY_PHONE else year), name

    wanted = [
        weights or (radios_of(one) if year == BY_PHONE else DEFAULT_RADIOS[year])
        for one in phone_years
    ]
    pairs = list(zip(wanted, phone_years, strict=True))
    cellular = list(dict.fromkeys(measured(name, one) for names, one in pairs for name in names))
    wifi = list(dict.fromkeys(measured("wifi", one) for one in phone_years))
    chances = np.zeros((len(phone_years), len(cellular)))
    for number, (names, one) in enumerate(pairs):
        for name, weight in names.items():
            chances[number, cellular.index(measured(name, one))] = weight
    window_bytes = INITIAL_WINDOW_BYTES if slow_start else 0
    rows = [
        replace(preset(*key, operator), window_bytes=window_bytes).row()
        for key in (*cellular, *wifi)
    ]
    return RadioTable(
        [name for _, name in cellular],
        np.concatenate(rows).astype(RADIO_DTYPE),
        chances,
        np.array([len(cellular) + wifi.index(measured("wifi", one)) for one in phone_years]),
    )


def quality_rows(table: RadioTable) -> Table:
    """Return round trips and losses of the radios of *table*, parallel to its rows."""
    names = table.names + ["wifi"] * (len(table.rows) - len(table.names))
    return np.concatenate([QUALITY[technology(name)].row() for name in names]).astype(QUALITY_DTYPE)
