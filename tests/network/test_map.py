"""The map: exact shares of places, phones without jumps, coverage that holds as long as said."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.network.map import OPTUS, MapSpec, area_share, build_map, time_share
from droidloop.network.movement import Map, at_home, cell_at, map_covered_at, position_at, stop_at
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US

DRAWS = Draws(3, "map")
WEEK_US = 7 * DAY_US
PHONES = 400


@pytest.fixture(scope="module")
def optus() -> Map:
    return build_map(OPTUS, PHONES, DRAWS)


def times(phone: int, count: int, until_us: int = WEEK_US) -> list[int]:
    return [int(chance * until_us) for chance in DRAWS.uniform(phone, 50 + np.arange(count))]


def test_shares_of_places_are_the_setting_to_the_cell(optus: Map) -> None:
    cells = optus.covered.size
    assert abs(area_share(optus) - 0.70) <= 1 / cells
    assert abs(area_share(optus, remote=True) - 0.60) <= 2 / cells
    assert abs(area_share(optus, remote=False) - 0.80) <= 2 / cells


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_any_share_of_places_is_met(share: float) -> None:
    spec = MapSpec(area_share=share, remote_share=share, cells=64)
    assert area_share(build_map(spec, 1, DRAWS)) == pytest.approx(share, abs=1 / 64**2)


def test_a_share_of_places_becomes_another_share_of_time(optus: Map) -> None:
    """Who lives near towns is covered nearly always; who lives remotely, no more than places."""
    remote = np.flatnonzero(optus.movers["remote"])
    near = np.flatnonzero(~optus.movers["remote"])
    assert time_share(optus, near, 0, WEEK_US) > 0.95
    assert time_share(optus, np.arange(PHONES), 0, WEEK_US) > area_share(optus) + 0.2
    many = build_map(replace(OPTUS, remote_phones=1.0), 1000, DRAWS)
    assert time_share(many, np.arange(1000), 0, WEEK_US) == pytest.approx(0.60, abs=0.06)
    assert 0 < len(remote) < PHONES / 10


def test_all_or_nothing_is_covered_all_the_time_or_never() -> None:
    for share in (0.0, 1.0):
        world = build_map(MapSpec(area_share=share, remote_share=share, cells=32), 20, DRAWS)
        assert time_share(world, np.arange(20), HOUR_US, WEEK_US) == share


def test_a_share_of_time_equals_what_a_look_every_minute_finds(optus: Map) -> None:
    seen = [
        map_covered_at(optus, phone, t_us)[0]
        for phone in range(60, 100)
        for t_us in range(DAY_US, 2 * DAY_US, 60 * SECOND_US)
    ]
    share = time_share(optus, np.arange(60, 100), DAY_US, 2 * DAY_US)
    assert share == pytest.approx(float(np.mean(seen)), abs=1e-3)
    assert share < 0.999


def test_coverage_does_not_change_before_the_time_that_is_given(optus: Map) -> None:
    """Looked at where the phone is, a hundred times in each such interval."""
    for phone in range(0, PHONES, 4):
        for t_us in times(phone, 5):
            covered, until_us = map_covered_at(optus, phone, t_us)
            assert until_us > t_us
            for at_us in np.linspace(t_us, until_us - 1, 100).astype(np.int64):
                x_m, y_m = position_at(optus, phone, int(at_us))
                assert optus.covered[x_m // optus.cell_m, y_m // optus.cell_m] == covered


def test_a_cell_is_left_at_the_very_microsecond_that_is_given(optus: Map) -> None:
    moving = 0
    for phone in range(PHONES):
        for t_us in times(phone, 20):
            x, y, until_us = cell_at(optus, phone, t_us)
            assert cell_at(optus, phone, until_us - 1)[:2] == (x, y)
            x_m, y_m = position_at(optus, phone, until_us)
            if position_at(optus, phone, until_us - 1) != (x_m, y_m):
                moving += 1
            left = (x_m // optus.cell_m, y_m // optus.cell_m) != (x, y)
            ends = any(until_us == end_us for end_us in trip_ends(optus, phone, until_us))
            assert left or ends
    assert moving > 20


def trip_ends(world: Map, phone: int, t_us: int) -> list[int]:
    """The times around *t_us* at which the phone sets out or arrives."""
    ends = []
    for number in range(t_us // DAY_US * 3 - 3, t_us // DAY_US * 3 + 6):
        x_m, y_m, start_us = stop_at(world, phone, number)
        from_x_m, from_y_m, _ = stop_at(world, phone, number - 1)
        length_m = float((x_m - from_x_m) ** 2 + (y_m - from_y_m) ** 2) ** 0.5
        speed = int(world.movers[phone]["speed_m_per_s"])
        trip_us = min(int(length_m / speed) * SECOND_US, 2 * HOUR_US)
        ends += [start_us, start_us + trip_us]
    return ends


def test_phones_never_jump(optus: Map) -> None:
    """From one second to the next, at most their speed, or that of a trip cut to two hours."""
    for phone in range(0, PHONES, 20):
        for t_us in times(phone, 100):
            x_m, y_m = position_at(optus, phone, t_us)
            next_x_m, next_y_m = position_at(optus, phone, t_us + SECOND_US)
            assert np.hypot(next_x_m - x_m, next_y_m - y_m) <= 20


def test_a_phone_arrives_before_it_sets_out_again(optus: Map) -> None:
    for phone in range(0, PHONES, 5):
        starts = [stop_at(optus, phone, number)[2] for number in range(60)]
        assert np.diff(starts).min() > 2 * HOUR_US


def test_nights_are_spent_at_home_and_working_hours_at_work(optus: Map) -> None:
    for phone in range(PHONES):
        mover = optus.movers[phone]
        home = (mover["home_x_m"], mover["home_y_m"])
        for day in range(7):
            night_us = day * DAY_US + 3 * HOUR_US
            assert position_at(optus, phone, night_us) == home
            assert at_home(optus, phone, night_us)[0]
            noon_us = day * DAY_US + 13 * HOUR_US
            work = (mover["work_x_m"], mover["work_y_m"])
            if (day + phone) % 7 < 5 and work != home:
                assert position_at(optus, phone, noon_us) == work
                assert not at_home(optus, phone, noon_us)[0]


def test_being_at_home_ends_when_the_phone_sets_out(optus: Map) -> None:
    for phone in range(0, PHONES, 4):
        home, until_us = at_home(optus, phone, 3 * HOUR_US)
        assert home
        assert until_us == stop_at(optus, phone, 0)[2]


def test_a_phone_is_the_same_however_many_there_are_and_whenever_one_asks(optus: Map) -> None:
    few = build_map(OPTUS, 10, DRAWS)
    for phone in range(10):
        asked = times(phone, 20)
        forwards = [map_covered_at(optus, phone, t_us) for t_us in asked]
        assert forwards[::-1] == [map_covered_at(few, phone, t_us) for t_us in asked[::-1]]


def test_other_seeds_make_other_maps() -> None:
    spec = replace(OPTUS, cells=64)
    one, other = (build_map(spec, 5, Draws(seed, "map")) for seed in (1, 2))
    assert (one.covered != other.covered).any()
    assert (one.movers["home_x_m"] != other.movers["home_x_m"]).any()


def test_phones_stay_on_the_map(optus: Map) -> None:
    side_m = len(optus.covered) * optus.cell_m
    for phone in range(PHONES):
        for number in range(21):
            x_m, y_m, _ = stop_at(optus, phone, number)
            assert 0 <= x_m < side_m
            assert 0 <= y_m < side_m


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"area_share": 1.2}, r"shares must lie in 0\.\.1"),
        ({"remote_area": 1.0}, "remote_area within"),
        ({"area_share": 0.9, "remote_share": 0.5}, "cannot be met with remote_share 0.5"),
        ({"cells": 2}, "needs four cells a side"),
        ({"cell_m": 10**6}, "4000 km wide at most"),
    ],
)
def test_maps_that_cannot_be_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(OPTUS, **change)  # type: ignore[arg-type]


def test_a_share_of_no_time_is_a_mistake(optus: Map) -> None:
    with pytest.raises(ValueError, match="an end after its start"):
        time_share(optus, np.arange(3), 5, 5)
