"""The synthetic day of a phone and its owner."""

import numpy as np
import pytest

from droidloop.devices.phone.presence import (
    GONE,
    IDLE,
    IN_USE,
    OFF,
    asleep_at,
    home_at,
    presence_at,
)
from droidloop.devices.population.population import PopulationSpec, build
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, NEVER_US
from tests.contracts.worlds import steady

PEOPLE = build(PopulationSpec(200, off_at_night_share=0.5), Draws(5, "presence"))
WORLD, TRAITS = PEOPLE.world, PEOPLE.traits


def test_nobody_uses_a_phone_asleep_and_some_switch_it_off() -> None:
    for phone in range(200):
        night = OFF if TRAITS["off_at_night"][phone] else IDLE
        for t_us in range(0, 3 * DAY_US, 47 * MINUTE_US):
            presence = presence_at(WORLD, phone, t_us)[0]
            if asleep_at(WORLD, phone, t_us)[0]:
                assert presence == night
            else:
                assert presence in (IDLE, IN_USE)


def test_sleep_is_as_long_as_the_habit_says_once_a_day() -> None:
    for phone in range(50):
        traits = TRAITS[phone]
        bed_us = int(traits["bed_us"]) - DAY_US * (int(traits["bed_us"]) > DAY_US)
        for t_us in (bed_us, bed_us + int(traits["sleep_us"]) - 1, bed_us + 3 * DAY_US):
            asleep, until_us = asleep_at(WORLD, phone, t_us)
            assert asleep
            assert (until_us - bed_us - int(traits["sleep_us"])) % DAY_US == 0
        assert asleep_at(WORLD, phone, bed_us - 1) == (False, bed_us)
        wake_us = bed_us + int(traits["sleep_us"])
        assert asleep_at(WORLD, phone, wake_us) == (False, bed_us + DAY_US)


def test_phones_are_in_use_for_about_three_hours_a_day_most_in_the_evening() -> None:
    hours = np.zeros(24)
    for phone in range(200):
        t_us = 0
        while t_us < 4 * DAY_US:
            presence, until_us = presence_at(WORLD, phone, t_us)
            if presence == IN_USE:
                hours[t_us // HOUR_US % 24] += (until_us - t_us) / HOUR_US / 800
            t_us = until_us
    assert 2.9 < hours.sum() < 3.5
    assert int(np.argmax(hours)) in (20, 21)
    assert hours[3] < 0.02


def test_a_phone_is_as_likely_in_use_on_the_hour_as_at_any_other_minute() -> None:
    """Rounds begin at round times: a process that rests on the hour would bias every selection."""
    people = build(PopulationSpec(1500), Draws(6, "minutes"))
    counts = [
        sum(
            presence_at(people.world, phone, hour * HOUR_US + minute * MINUTE_US)[0] == IN_USE
            for phone in range(1500)
            for hour in (10, 15, 18, 20)
        )
        for minute in (0, 10, 20, 30, 40, 50)
    ]
    mean = float(np.mean(counts))
    assert mean > 800
    assert max(abs(count - mean) for count in counts) < 4 * np.sqrt(mean)


def test_people_are_away_on_five_days_of_seven_and_some_afternoons_never_at_night() -> None:
    afternoons = []
    for phone in range(200):
        for day in range(7):
            home = [
                home_at(WORLD, phone, day * DAY_US + hour * HOUR_US)[0] for hour in (4, 12, 15, 23)
            ]
            assert home[0]
            assert home[3]
            if (day + phone) % 7 < 5:
                assert not home[1]
            else:
                afternoons.append(not home[2])
    assert len(afternoons) == 400
    assert abs(np.mean(afternoons) - 0.6) < 4 * np.sqrt(0.24 / 400)


def test_a_time_zone_shifts_the_whole_day() -> None:
    """What happens at 8 local time happens three hours earlier in virtual time at zone + 3 h."""
    here, east = steady("lte", phones=20), steady("lte", phones=20)
    east.traits["zone_us"] = 3 * HOUR_US
    for phone in range(20):
        for t_us in range(4 * HOUR_US, 3 * DAY_US, 53 * MINUTE_US):
            for function in (asleep_at, presence_at, home_at):
                value, until_us = function(here.world, phone, t_us)
                shifted = function(east.world, phone, t_us - 3 * HOUR_US)
                assert shifted == (value, until_us - 3 * HOUR_US)


@pytest.mark.parametrize("zone_h", [-11, -1, 0, 1, 14])
def test_a_day_begins_anywhere_on_earth(zone_h: int) -> None:
    """At time 0 the local hour may be negative: the evening before."""
    population = steady("lte", phones=50, zone_us=zone_h * HOUR_US)
    for phone in range(50):
        local_h = zone_h % 24
        asleep = asleep_at(population.world, phone, 0)[0]
        bed_h = population.traits["bed_us"][phone] / HOUR_US
        wake_h = (bed_h + population.traits["sleep_us"][phone] / HOUR_US) % 24
        bed_h %= 24
        inside = bed_h <= local_h < wake_h if bed_h < wake_h else not wake_h <= local_h < bed_h
        assert asleep == inside


def test_a_phone_is_there_from_joining_to_leaving() -> None:
    population = steady("lte", join_us=5 * HOUR_US, leave_us=9 * HOUR_US)
    world = population.world
    assert presence_at(world, 0, 5 * HOUR_US - 1) == (GONE, 5 * HOUR_US)
    assert presence_at(world, 0, 5 * HOUR_US)[0] > OFF
    assert presence_at(world, 0, 9 * HOUR_US - 1)[0] > OFF
    assert presence_at(world, 0, 9 * HOUR_US - 1)[1] == 9 * HOUR_US
    assert presence_at(world, 0, 9 * HOUR_US) == (GONE, 2**62)


def test_an_ideal_phone_is_always_idle_and_at_home() -> None:
    population = steady("wifi")
    for t_us in (0, 3 * HOUR_US, 12 * HOUR_US, 30 * DAY_US):
        assert presence_at(population.world, 0, t_us) == (IDLE, NEVER_US)
        assert home_at(population.world, 0, t_us) == (True, 2**62)
