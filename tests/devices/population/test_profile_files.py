"""A profile of one's own goes through a file unchanged, and mistakes in it are named."""

from dataclasses import replace
from pathlib import Path

import pytest

from droidloop.devices.population.profile_files import read_profile, write_profile
from droidloop.devices.population.profiles import PROFILES
from droidloop.platform.errors import ScenarioError
from droidloop.scenarios.run.people import people
from droidloop.scenarios.schema.load import load


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_comes_back_as_it_was(name: str, tmp_path: Path) -> None:
    assert read_profile(write_profile(PROFILES[name], tmp_path)) == PROFILES[name]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("battery_mah = 3000\n", "", "a profile needs the key 'battery_mah'"),
        ("battery_mah", "battery_ah", "has no key 'battery_ah'"),
        ("battery_mah = 3000", "battery_mah = 3000.5", "battery_mah = 3000.5: give a whole number"),
        ("battery_mah = 3000", "battery_mah = -1", "battery_mah = -1"),
        ("battery_mah = 3000", "battery_mah = true", "battery_mah = True"),
        ("ram_gib = 2.0", "ram_gib = nan", "ram_gib = nan: give a number"),
        ("ram_gib = 2.0", "ram_gib =", "not TOML"),
        ('name = "2017-2gb"', f'name = "{"x" * 25}"', "give 1 to 24 bytes"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, message: str, tmp_path: Path) -> None:
    path = write_profile(PROFILES["2017-2gb"], tmp_path)
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(ScenarioError, match=message) as raised:
        read_profile(path)
    assert str(raised.value).startswith(f"{path}: ")


def test_a_population_can_be_made_of_it(tmp_path: Path) -> None:
    mine = replace(PROFILES["2017-2gb"], name="mine", ram_gib=1.5)
    file = write_profile(mine, tmp_path)
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('name = "one"\ntitle = "One"\n[population.profiles]\nmine = 1.0\n')
    with pytest.raises(ScenarioError, match="has no 'mine'"):
        load(scenario)
    checked = load(scenario, [f"population.profile_files=['{file}']", "population.phones=3"])
    folk = people(checked.data, checked.population, 1)
    assert folk.population.profiles == ["mine"]
    assert set(folk.population.traits["ram_bytes"].tolist()) == {mine.ram_bytes}
