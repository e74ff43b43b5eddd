"""When a phone is on its charger: by habit, by recording, or always."""

import numpy as np

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.population.population import PopulationSpec, build
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US
from tests.contracts.worlds import steady

PEOPLE = build(PopulationSpec(300), Draws(5, "charging"))


def windows(phone: int, days: int) -> list[tuple[int, int]]:
    """Return the charging windows of *phone* that begin in the first *days*."""
    found, t_us = [], 0
    while t_us < days * DAY_US:
        power_uw, until_us = charger_at(PEOPLE.world, phone, t_us)
        assert power_uw in (0, PEOPLE.traits["charge_uw"][phone])
        if power_uw:
            found.append((t_us, until_us))
        t_us = until_us
    return found


def test_phones_charge_from_bedtime_to_waking_on_85_nights_of_100() -> None:
    nights = 0
    for phone in range(300):
        traits = PEOPLE.traits[phone]
        bed_us, sleep_us = int(traits["bed_us"]), int(traits["sleep_us"])
        for start_us, end_us in windows(phone, 10):
            if (start_us - bed_us) % DAY_US == 0:
                assert end_us - start_us == sleep_us
                nights += 1
    # ten nights begin in ten days, but for those who go to bed after midnight on the first
    assert abs(nights / 3000 - 0.85) < 4 * np.sqrt(0.85 * 0.15 / 3000) + 0.01


def test_and_on_35_days_of_100_for_a_while_between_half_past_nine_and_half_past_eight() -> None:
    tops, lengths = 0, []
    for phone in range(300):
        bed_us = int(PEOPLE.traits["bed_us"][phone])
        for start_us, end_us in windows(phone, 10):
            if (start_us - bed_us) % DAY_US and start_us > 0:
                local_us = start_us % DAY_US
                assert 9.5 * HOUR_US <= local_us < 17.5 * HOUR_US
                assert end_us - start_us <= 3 * HOUR_US
                tops += 1
                lengths.append(end_us - start_us)
    assert abs(tops / 3000 - 0.35) < 4 * np.sqrt(0.35 * 0.65 / 3000)
    assert abs(np.mean(lengths) / MINUTE_US - 40) < 5


def test_a_recording_says_when_in_a_loop() -> None:
    series = Series(np.array([0, 2, 5]) * HOUR_US, np.array([0, 1, 0]), DAY_US)
    population = steady("lte", series=[series], charge_series=0, rate_series=-1)
    power_uw = int(population.traits["charge_uw"][0])
    world = population.world
    assert charger_at(world, 0, 0) == (0, 2 * HOUR_US)
    assert charger_at(world, 0, 3 * DAY_US + 2 * HOUR_US) == (power_uw, 3 * DAY_US + 5 * HOUR_US)
    assert charger_at(world, 0, 5 * HOUR_US) == (0, DAY_US)


def test_the_night_before_the_first_day_counts() -> None:
    """At time 0, midnight, most phones have been on their chargers since the evening."""
    plugged = sum(charger_at(PEOPLE.world, phone, 0)[0] > 0 for phone in range(300))
    early = int((PEOPLE.traits["bed_us"] <= DAY_US).sum())
    assert abs(plugged / early - 0.85) < 0.1


def test_an_ideal_phone_never_leaves_its_charger() -> None:
    population = steady("wifi")
    assert charger_at(population.world, 0, 0) == (int(population.traits["charge_uw"][0]), 2**62)
