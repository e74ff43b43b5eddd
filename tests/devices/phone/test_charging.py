"""When a phone is on its charger: by habit, by recording, or always."""

import numpy as np

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.population.population import PopulationSpec, build
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US
from tests.contracts.worlds import steady

PEOPLE = build(PopulationSpec(300), Draws(5, "charging"))


def windows(phone: int, days: int) -> list[tuple[int, int]]:
    """Return the charging windows of *phone* that begin in the first *days*."""
    found: list[tuple[int, int]] = []
    t_us = 0
    while t_us < days * DAY_US:
        power_uw, until_us = charger_at(PEOPLE.world, phone, t_us)
        assert power_uw in (0, PEOPLE.traits["charge_uw"][phone])
        assert until_us > t_us
        if power_uw and found and found[-1][1] == t_us:
            found[-1] = (found[-1][0], until_us)
        elif power_uw:
            found.append((t_us, until_us))
        t_us = until_us
    return found


def test_phones_charge_from_bedtime_to_waking_on_48_nights_of_100() -> None:
    """What else is plugged in by chance at bedtime and until waking is rare."""
    nights = 0
    for phone in range(300):
        traits = PEOPLE.traits[phone]
        for start_us, end_us in windows(phone, 10):
            bed_us = start_us + (int(traits["bed_us"]) - start_us) % DAY_US
            nights += end_us >= bed_us + int(traits["sleep_us"])
    assert abs(nights / 3000 - 0.48) < 0.05


def test_the_habit_at_a_time_does_not_depend_on_when_it_is_asked_about() -> None:
    for phone in range(20):
        for start_us, end_us in windows(phone, 3):
            for t_us in (start_us, (start_us + end_us) // 2, end_us - 1):
                power_uw, until_us = charger_at(PEOPLE.world, phone, t_us)
                assert power_uw > 0
                assert t_us < until_us <= end_us


def test_most_windows_are_short_and_there_are_about_eight_a_day() -> None:
    """The records have 13 a day of which 6 last a minute, half of those less than 15 minutes."""
    lengths = [end - start for phone in range(100) for start, end in windows(phone, 10)]
    assert 5 < len(lengths) / 1000 < 9
    assert np.median(lengths) < HOUR_US


def test_a_recording_says_when_in_a_loop() -> None:
    series = Series(np.array([0, 2, 5]) * HOUR_US, np.array([0, 1, 0]), DAY_US)
    population = steady("lte", series=[series], charge_series=0, rate_series=-1)
    power_uw = int(population.traits["charge_uw"][0])
    world = population.world
    assert charger_at(world, 0, 0) == (0, 2 * HOUR_US)
    assert charger_at(world, 0, 3 * DAY_US + 2 * HOUR_US) == (power_uw, 3 * DAY_US + 5 * HOUR_US)
    assert charger_at(world, 0, 5 * HOUR_US) == (0, DAY_US)


def test_the_night_before_the_first_day_counts() -> None:
    """At time 0, midnight, half of the phones are on their chargers."""
    plugged = sum(charger_at(PEOPLE.world, phone, 0)[0] > 0 for phone in range(300))
    assert abs(plugged / 300 - 0.48) < 0.1


def test_an_ideal_phone_never_leaves_its_charger() -> None:
    population = steady("wifi")
    assert charger_at(population.world, 0, 0) == (int(population.traits["charge_uw"][0]), 2**62)
