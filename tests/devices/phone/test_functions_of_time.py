"""Presence, home, charger and link as functions of time: honest about until when, never stuck."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.link import cellular_at, link_at
from droidloop.devices.phone.presence import asleep_at, home_at, presence_at
from droidloop.devices.population.population import Population
from droidloop.network.radio import CELLULAR, NO_RADIO, WIFI
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from tests.contracts.worlds import mixed, steady

FUNCTIONS: dict[str, Callable[..., tuple[Any, ...]]] = {
    "asleep": asleep_at,
    "presence": presence_at,
    "home": home_at,
    "charger": charger_at,
    "cellular": cellular_at,
    "link": lambda world, phone, t_us: link_at(world, phone, t_us, False),
    "unmetered link": lambda world, phone, t_us: link_at(world, phone, t_us, True),
}


def across_the_world(**options: Any) -> Population:
    """Return phones in all time zones, a tenth of a second off the hour."""
    population = mixed(60, **options)
    zones = Draws(1, "zone").integers(np.arange(60), 0, 27) - 13
    population.traits["zone_us"] = zones * HOUR_US + 100_000 * (zones % 2)
    return population


WORLDS = {
    "habits": across_the_world(),
    "recordings": across_the_world(recorded=True),
    "ideal": mixed(60, ideal=True),
}


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("world", list(WORLDS))
@given(phone=st.integers(0, 59), t_us=st.integers(0, 20 * DAY_US), data=st.data())
def test_until_lies_ahead_and_nothing_changes_before_it(
    world: str, name: str, phone: int, t_us: int, data: st.DataObject
) -> None:
    """Four steps from any time; a lie would let a walk jump over a change, a 0 would stop it."""
    population, function = WORLDS[world], FUNCTIONS[name]
    for _ in range(4):
        *values, until_us = function(population.world, phone, t_us)
        assert until_us > t_us
        within = st.integers(t_us, min(until_us - 1, t_us + 30 * DAY_US))
        for when_us in (until_us - 1, data.draw(within), data.draw(within)):
            *then, end_us = function(population.world, phone, when_us)
            assert then == values
            assert end_us >= until_us
        if until_us > 40 * DAY_US:
            break
        t_us = until_us


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_a_walk_through_twenty_days_takes_few_steps(name: str) -> None:
    """Bounded by what happens: changes of the hour, gaps, knots, not microseconds."""
    limit = 20 * 86_400 if "cellular" in name or "link" in name else 20 * 60
    for phone in range(20):
        t_us, steps = 0, 0
        while t_us < 20 * DAY_US:
            t_us = FUNCTIONS[name](WORLDS["habits"].world, phone, t_us)[-1]
            steps += 1
        assert steps < limit


def test_a_link_is_wifi_at_home_cellular_outside_and_none_in_a_gap_or_when_off() -> None:
    population = WORLDS["habits"]
    world, traits = population.world, population.traits
    seen = set()
    for phone in range(60):
        for t_us in range(0, 2 * DAY_US, 17 * MINUTE_US):
            radio, down, up, _ = link_at(world, phone, t_us, False)
            presence, home = presence_at(world, phone, t_us)[0], home_at(world, phone, t_us)[0]
            cell_down, cell_up, _ = cellular_at(world, phone, t_us)
            expected: tuple[int, ...]
            if presence <= 1:
                expected = (NO_RADIO, 0, 0)
            elif home and traits["wifi"][phone] >= 0:
                expected = (WIFI, *(int(traits[f"wifi_{w}_rate"][phone]) for w in ("down", "up")))
            elif cell_down > 0:
                expected = (CELLULAR, cell_down, cell_up)
            else:
                expected = (NO_RADIO, 0, 0)
            assert (radio, down, up) == expected
            unmetered = link_at(world, phone, t_us, True)[:3]
            assert unmetered == (expected if expected[0] == WIFI else (NO_RADIO, 0, 0))
            seen.add(expected[0])
    assert seen == {NO_RADIO, CELLULAR, WIFI}


def test_a_region_slows_the_link_and_a_recording_sets_it() -> None:
    population = steady("lte", mbps=8, up_mbps=2)
    assert cellular_at(population.world, 0, 0)[:2] == (1_000_000, 250_000)
    population.world.regions["rate_percent"] = 70
    assert cellular_at(population.world, 0, 0)[:2] == (700_000, 175_000)
    recorded = WORLDS["recordings"]
    values = set(recorded.world.knots.tolist())
    percent = recorded.world.regions["rate_percent"]
    for phone in range(60):
        down, _, until_us = cellular_at(recorded.world, phone, 5 * SECOND_US)
        share = int(percent[recorded.traits["region"][phone]])
        assert down in {value * share // 100 for value in values}
        assert until_us <= 6 * SECOND_US or down == 0


def test_an_upload_keeps_its_share_of_a_recorded_rate() -> None:
    population = WORLDS["recordings"]
    for phone in range(60):
        for t_us in range(0, 300 * SECOND_US, 7 * SECOND_US):
            down, up, _ = cellular_at(population.world, phone, t_us)
            share = population.traits["cell_up_rate"][phone] / max(
                population.traits["cell_down_rate"][phone], 1
            )
            assert abs(up - down * share) <= 2 + share
