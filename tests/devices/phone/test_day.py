"""The day: as many phones on their chargers in each hour as in the records of 2,886 phones."""

import csv
import gzip
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.population import Population, PopulationSpec, build
from droidloop.devices.population.recorded import charging_windows
from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US
from droidloop.scenarios.policies.power import plugged_in

FILE = "data/devices/flash_charging_windows.csv.gz"
DAYS = 7


@pytest.fixture(scope="module")
def recorded(shared: Path) -> FloatArray:
    """The recorded share by hour of the day, of the phones observed through the whole hour."""
    windows: dict[str, list[tuple[float, float]]] = {}
    observed: dict[str, list[float]] = {}
    with gzip.open(shared / FILE, "rt") as file:
        for row in csv.DictReader(file):
            start, end = float(row["start_s"]), float(row["end_s"])
            observed.setdefault(row["device"], []).extend((start, end))
            if row["kind"] == "charging":
                windows.setdefault(row["device"], []).append((start, end))
    on_s, hours = np.zeros(24), np.zeros(24)
    for device, times in observed.items():
        mine = np.array(windows.get(device, [(0.0, 0.0)]))
        for hour in range(int(-(-min(times) // 3600)), int(max(times) // 3600)):
            inside = np.clip(mine, 3600 * hour, 3600 * (hour + 1))
            hours[hour % 24] += 1
            on_s[hour % 24] += (inside[:, 1] - inside[:, 0]).sum()
    assert len(windows) == 2886
    assert hours.min() > 1000
    return on_s / hours / 3600


def shares(population: Population) -> FloatArray:
    """Return the share of phones on a charger, (days, 24), six looks an hour."""
    phones = np.arange(len(population))
    looks = [
        plugged_in(population.world, phones, t_us + 5 * MINUTE_US).mean()
        for t_us in range(0, DAYS * DAY_US, 10 * MINUTE_US)
    ]
    return np.asarray(np.reshape(looks, (DAYS, 24, 6)).mean(2), np.float64)


def habitual(**options: float) -> Population:
    """Return phones that charge by habit."""
    return build(PopulationSpec(4000, **options), Draws(11, "day"))  # type: ignore[arg-type]


def replayed(shared: Path) -> Population:
    """Return phones that charge as recorded ones."""
    draws = Draws(11, "day")
    return build(PopulationSpec(4000, charge_series=charging_windows(shared / FILE, draws)), draws)


def test_by_habit_the_share_on_a_charger_is_within_3_points_of_the_records_at_every_hour(
    recorded: FloatArray,
) -> None:
    found = shares(habitual())
    assert np.abs(found.mean(0) - recorded).max() < 0.015
    assert np.abs(found - recorded).max() < 0.03, "on every day of the week"


def test_replayed_records_are_within_3_points_of_themselves_at_every_hour(
    recorded: FloatArray, shared: Path
) -> None:
    found = shares(replayed(shared))
    assert np.abs(found.mean(0) - recorded).max() < 0.025
    nights = found[:, 1:5].mean(1)
    assert nights.max() - nights.min() < 0.05, "nights are alike"


def test_a_run_may_start_at_any_hour_and_span_time_zones(recorded: FloatArray) -> None:
    late = shares(habitual(start_hour=15.0))
    assert np.abs(late.mean(0) - np.roll(recorded, -15)).max() < 0.02
    wide = shares(habitual(time_spread_h=24.0))
    assert np.ptp(wide.mean(0)) < 0.03
    zones = habitual(time_spread_h=3.0, start_hour=6.0).traits["zone_us"]
    assert (zones >= 4.5 * HOUR_US).all()
    assert (zones < 7.5 * HOUR_US).all()
