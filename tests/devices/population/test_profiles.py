"""Classes of phones: figures of real ones, each with its source."""

import csv
import json
import re
from pathlib import Path

import pytest

from droidloop.devices.population.profiles import GIB, PROFILES, Profile

ALL = list(PROFILES.values())


def test_there_are_six_classes_and_more_from_2gb_of_2017_to_12gb_of_2024() -> None:
    assert len(ALL) >= 6
    memory = [profile.ram_bytes for profile in ALL]
    years = [int(profile.name[:4]) for profile in ALL]
    assert (min(memory), max(memory)) == (2 * GIB, 12 * GIB)
    assert (min(years), max(years)) == (2017, 2024)


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_a_class_names_its_phone_and_the_commit_of_its_figures(profile: Profile) -> None:
    assert PROFILES[profile.name] is profile
    assert re.fullmatch(r"20\d\d-\d+gb", profile.name)
    assert re.search(r"power_profile\.xml in \S+/\S+ [0-9a-f]{7,40}", profile.source)
    assert profile.model


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_a_class_is_physically_possible(profile: Profile) -> None:
    assert profile.system_ram_gib + 1.5 * profile.apps_ram_gib <= profile.ram_gib
    assert 0 < profile.idle_uw < profile.use_uw
    hours = profile.capacity_uj / 1e6 / (profile.use_uw / 1e6) / 3600
    assert 3 < hours < 30, "of use on one charge"
    assert 1e9 < profile.flops_per_s < 1e11
    assert profile.process_start_us == profile.process_start_ms * 1000


def test_newer_and_larger_phones_compute_faster() -> None:
    speeds = [profile.flops_per_s for profile in ALL]
    assert speeds == sorted(speeds)
    assert [p.memory_gb_per_s for p in ALL] == sorted(p.memory_gb_per_s for p in ALL)


def test_a_battery_holds_milliampere_hours_at_3_point_8_volts() -> None:
    assert PROFILES["2017-2gb"].capacity_uj == 3000 * 3600 * 3_800


def figures(shared: Path) -> dict[str, tuple[float, ...]]:
    """Return battery, screen and top core current of each recorded phone, by commit or name."""
    found: dict[str, tuple[float, ...]] = {}
    for phone in json.loads((shared / "data" / "power_profiles.json").read_text())["devices"]:
        if phone["battery_mah"] and "screen_full" in phone:
            core = max(cluster["ma_at_max"] for cluster in phone["cpu_clusters"])
            commit = phone["source"].partition("@")[2]
            found[commit] = (phone["battery_mah"], phone["screen_full"], core)
    with (shared / "data" / "devices" / "treble_power_profiles.csv").open() as file:
        for row in csv.DictReader(file):
            names = ("battery_mah", "screen_full_ma", "cpu_core_max_ma")
            if all(row[name] for name in names):
                values = tuple(float(row[name]) for name in names)
                for key in (row["device"], row["fingerprint_pattern"]):
                    found[key.strip("+*").rpartition("/")[2]] = values
    return found


@pytest.mark.parametrize("profile", ALL, ids=lambda profile: profile.name)
def test_figures_are_those_of_the_power_profile_that_is_named(
    profile: Profile, shared: Path
) -> None:
    known = figures(shared)
    key = profile.source.replace(",", " ").replace("/", " ").split()[-1]
    battery, screen, core = known[key]
    assert profile.battery_mah == battery
    assert profile.screen_ma == pytest.approx(screen, abs=0.06)
    assert profile.core_ma == pytest.approx(core, abs=0.06)
