"""Pictures of the physics: drawn, not blank, and of what the laws say."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.population.population import PopulationSpec, build
from droidloop.network.formats import LinkTrace
from droidloop.network.gaps import FITTED, per_second
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DataError
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US
from droidloop.scenarios.reports.battery_plot import (
    charging_windows_us,
    draw_batteries,
    levels,
    off_windows_us,
)
from droidloop.scenarios.reports.radio_plots import (
    draw_link,
    draw_radio,
    draw_transfers,
    modelled_link,
)

DRAWS = Draws(5, "plots")


def share_of_colour(path: Path, colour: str) -> float:
    """The share of a picture's points that have just this colour."""
    from matplotlib.image import imread

    assert path.read_bytes().startswith(b"\x89PNG")
    points = np.rint(imread(path)[:, :, :3] * 255).astype(int)
    wanted = [int(colour[place : place + 2], 16) for place in (1, 3, 5)]
    return float((points == wanted).all(axis=2).mean())


def test_three_pictures_are_drawn_into_a_folder(tmp_path: Path) -> None:
    paths = draw_radio(tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["transfers.png", "link.png", "batteries.png"]
    for path in paths:
        assert share_of_colour(path, "#4c72b0") > 0.001
        assert share_of_colour(path, "#ffffff") < 0.95


def test_the_transfers_show_every_state_and_a_longer_one_more_of_it(tmp_path: Path) -> None:
    short, long = tmp_path / "short.png", tmp_path / "long.png"
    draw_transfers(short)
    draw_transfers(long, nbytes=3_000_000)
    for colour in ("#dd8452", "#937860", "#4c72b0", "#c44e52", "#e5a3a5"):
        assert share_of_colour(short, colour) > 1e-4
    assert share_of_colour(long, "#4c72b0") > 1.5 * share_of_colour(short, "#4c72b0")


def test_a_trace_of_the_users_own_is_drawn_and_a_wrong_one_named(
    tmp_path: Path, shared: Path
) -> None:
    trace = shared / "data/network/norway-3g/report.2010-11-04_0957CET.json.gz"
    assert draw_radio(tmp_path, trace=trace)[1].stat().st_size > 20_000
    with pytest.raises(DataError, match="no such file"):
        draw_radio(tmp_path, trace=tmp_path / "none.json")


def test_a_link_without_gaps_says_so(tmp_path: Path) -> None:
    series = Series(np.array([0]), np.array([1000]), 60 * SECOND_US)
    draw_link(tmp_path / "link.png", LinkTrace("steady", series))
    assert share_of_colour(tmp_path / "link.png", "#c44e52") == 0.0


def test_the_modelled_link_is_down_as_long_as_its_region_says() -> None:
    region = FITTED["commute-3g"]
    link = modelled_link(DRAWS, minutes=60 * 24 * 30)
    up = region.covered_share * (1 - region.fade_share)
    assert per_second(link.down).mean() == pytest.approx(125_000 * up, rel=0.01)


def test_levels_end_where_the_battery_stands_and_leave_the_population_alone() -> None:
    population = build(PopulationSpec(3), DRAWS)
    before = population.state.copy()
    percent = levels(population, 1, np.array([0, HOUR_US, DAY_US]))
    start = 100 * before[1]["battery_uj"] / population.traits[1]["capacity_uj"]
    assert percent[0] == start
    assert ((percent >= 0) & (percent <= 100)).all()
    assert population.state.tobytes() == before.tobytes()


def test_a_level_rises_only_on_a_charger() -> None:
    population = build(PopulationSpec(6), DRAWS)
    times_us = np.arange(0, 2 * DAY_US + 1, HOUR_US // 4)
    for phone in range(6):
        percent = levels(population, phone, times_us)
        windows = charging_windows_us(population, phone, 2 * DAY_US)
        assert windows
        for place in np.flatnonzero(np.diff(percent) > 0):
            start_us, end_us = times_us[place], times_us[place + 1]
            assert any(a < end_us and b > start_us for a, b in windows)


def test_a_phone_that_is_off_keeps_its_charge_unless_it_is_on_its_charger() -> None:
    population = build(PopulationSpec(20, off_at_night_share=1.0), DRAWS)
    kept = 0
    for phone in range(20):
        charging = charging_windows_us(population, phone, DAY_US)
        for start_us, end_us in off_windows_us(population, phone, DAY_US):
            before, after = levels(population, phone, np.array([start_us, end_us]))
            if any(a < end_us and b > start_us for a, b in charging):
                assert after >= before
            else:
                assert after == before
                kept += 1
    assert kept


def test_as_many_phones_are_drawn_as_there_are(tmp_path: Path) -> None:
    from matplotlib.image import imread

    heights = []
    for phones in (1, 4):
        path = tmp_path / f"{phones}.png"
        draw_batteries(path, build(PopulationSpec(phones), DRAWS), days=1)
        heights.append(imread(path).shape[0])
    assert heights == [286, 676]
