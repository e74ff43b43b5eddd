"""The battery: any cut of time gives the same accounts, and every microjoule is somewhere."""

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.devices.phone.battery import advance, settle
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.presence import GONE, leaves_us, presence_at
from droidloop.devices.phone.world import World
from droidloop.devices.population.population import Population
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import ENERGY_PARTS
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, SECOND_US, between, reached
from tests.contracts.worlds import mixed, random_jobs, steady

END_US = 3 * DAY_US


def used(**options: Any) -> Population:
    """Return 60 phones with radios in their tails and batteries at all levels, two hours in."""
    population = mixed(60, **options)
    jobs = random_jobs(population, Draws(1, "used"), 0, plan_us=0, first=0, count=60)
    jobs.rows["deadline_us"] = 2 * HOUR_US
    play_cohort(population.world, jobs.rows)
    settle(population.world, 2 * HOUR_US)
    return population


WORLDS: dict[str, dict[str, bool]] = {
    "habits": {},
    "recordings": {"recorded": True},
    "ideal": {"ideal": True},
}


@cache
def world_of(name: str) -> Population:
    """Return the phones of that name, which nobody changes."""
    return used(**WORLDS[name])


def copy_of(population: Population) -> World:
    """Return the same phones in a state of their own."""
    return population.world._replace(state=population.state.copy())


def spent_uj(state: Any) -> Any:
    """Return everything that has been spent, by part summed."""
    return sum(state[name].astype(object) for name in ENERGY_PARTS)


cuts = st.lists(st.integers(2 * HOUR_US, END_US), max_size=30)


@pytest.mark.parametrize("world", list(WORLDS))
@given(cuts)
@settings(max_examples=40)
def test_settling_in_any_parts_is_settling_at_once(world: str, cuts: list[int]) -> None:
    whole, parts = copy_of(world_of(world)), copy_of(world_of(world))
    settle(whole, END_US)
    for t_us in sorted(cuts):
        settle(parts, t_us)
    settle(parts, END_US)
    assert parts.state.tobytes() == whole.state.tobytes()


@pytest.mark.parametrize("world", list(WORLDS))
def test_settling_every_second_is_settling_at_once(world: str) -> None:
    """The step-by-step walk that closed forms replace, for six hours around the first deaths."""
    whole, walk = copy_of(world_of(world)), copy_of(world_of(world))
    settle(whole, 8 * HOUR_US)
    for t_us in range(2 * HOUR_US, 8 * HOUR_US + 1, SECOND_US):
        settle(walk, t_us)
    assert walk.state.tobytes() == whole.state.tobytes()


@pytest.mark.parametrize("world", list(WORLDS))
def test_energy_is_conserved_and_levels_stay_within_the_battery(world: str) -> None:
    """Before - spent + accepted = after, for every phone at every hour."""
    population = world_of(world)
    now = copy_of(population)
    before = population.state.copy()
    capacity = population.traits["capacity_uj"]
    deaths = 0
    for t_us in range(2 * HOUR_US, END_US, 13 * MINUTE_US):
        settle(now, t_us)
        state = now.state
        spent = spent_uj(state) - spent_uj(before)
        accepted = state["accepted_uj"] - before["accepted_uj"]
        assert np.array_equal(before["battery_uj"] - spent + accepted, state["battery_uj"])
        assert (state["battery_uj"] >= 0).all()
        assert (state["battery_uj"] <= capacity).all()
        assert (state["t_us"] == t_us).all()
        deaths = int(state["deaths"].sum())
    assert (deaths > 0) == (world != "ideal")


@pytest.mark.parametrize("world", ["habits", "recordings"])
def test_a_dead_phone_spends_nothing_and_comes_back_at_its_boot_level(world: str) -> None:
    population = world_of(world)
    now = copy_of(population)
    traits = population.traits
    revived = 0
    for t_us in range(2 * HOUR_US, END_US, MINUTE_US):
        before = now.state.copy()
        settle(now, t_us)
        for phone in np.flatnonzero(before["dead"]):
            old, new = before[phone], now.state[phone]
            if new["deaths"] == old["deaths"] and new["dead"]:
                assert all(new[name] == old[name] for name in ENERGY_PARTS)
                gained = new["battery_uj"] - old["battery_uj"]
                assert gained == new["accepted_uj"] - old["accepted_uj"]
                assert new["battery_uj"] < traits["boot_uj"][phone]
                assert (new["cell_end_us"], new["wifi_end_us"]) == (-1, -1)
            revived += not new["dead"]
    assert revived >= 5


def idle_phone(charge: Series | None = None, **traits: Any) -> World:
    """Return one phone that is never in use: only its own idle power, and a recorded charger."""
    charge = charge or Series(np.array([0]), np.array([0]), DAY_US)
    rule = {
        "rate_series": -1,
        "charge_series": 0,
        "idle_uw": 300_001,
        "use_uw": 300_001,
        "charge_uw": 5_000_000,
        "capacity_uj": 10**10,
        "boot_uj": 10**8,
        **traits,
    }
    return steady("lte", series=[charge], **rule).world


@given(st.integers(1, 10**10), st.integers(0, DAY_US))
def test_a_phone_dies_at_the_first_microsecond_at_which_its_battery_is_spent(
    battery_uj: int, start_us: int
) -> None:
    world = idle_phone()
    state = world.state[0]
    state["t_us"], state["battery_uj"] = start_us, battery_uj
    died_us = reached(300_001, start_us, battery_uj)
    assert advance(world, 0, died_us - 1, 0, 0, 0, True) == died_us - 1
    assert not state["dead"]
    assert advance(world, 0, died_us + DAY_US, 0, 0, 0, True) == died_us
    assert state["dead"]
    assert (state["t_us"], state["battery_uj"], state["deaths"]) == (died_us, 0, 1)
    assert state["own_uj"] == battery_uj, "it spends what it has and no more"


@given(
    st.integers(1, 10**7),
    st.tuples(*[st.integers(0, 3_000_000)] * 3),
    st.integers(0, 400_000),
    st.integers(0, HOUR_US),
)
def test_the_parts_of_a_dying_phone_sum_to_its_battery_and_what_the_charger_fed(
    battery_uj: int, powers: tuple[int, int, int], charge_uw: int, start_us: int
) -> None:
    plugged = Series(np.array([0]), np.array([1]), DAY_US)
    world = idle_phone(plugged, charge_uw=charge_uw)
    state = world.state[0]
    state["t_us"], state["battery_uj"] = start_us, battery_uj
    end_us = advance(world, 0, start_us + MINUTE_US, *powers, True)
    spent = int(spent_uj(world.state)[0])
    assert battery_uj - spent + int(state["accepted_uj"]) == int(state["battery_uj"])
    load_uw = 300_001 + sum(powers)
    if state["dead"]:
        assert state["battery_uj"] == 0
        shortfall_uw = load_uw - charge_uw
        exact_us = start_us + battery_uj * 1_000_000 / shortfall_uw
        assert abs(end_us - exact_us) <= 2 + 5_000_000 / shortfall_uw
    else:
        assert end_us == start_us + MINUTE_US


def test_a_charger_feeds_the_phone_first_and_the_battery_with_the_rest() -> None:
    plugged = Series(np.array([0]), np.array([1]), DAY_US)
    world = idle_phone(plugged)
    state = world.state[0]
    state["battery_uj"] = 5 * 10**9
    advance(world, 0, 100 * SECOND_US, 1_000_000, 0, 0, True)
    assert state["own_uj"] == 30_000_100
    assert state["promotion_uj"] == 100_000_000
    assert state["accepted_uj"] == 500_000_000
    assert state["battery_uj"] == 5 * 10**9 + 500_000_000 - 130_000_100


def test_a_weak_charger_slows_the_drain() -> None:
    plugged = Series(np.array([0]), np.array([1]), DAY_US)
    world = idle_phone(plugged, charge_uw=200_000)
    state = world.state[0]
    state["battery_uj"] = 5 * 10**9
    advance(world, 0, 100 * SECOND_US, 0, 0, 1_000_000, True)
    assert state["accepted_uj"] == 20_000_000
    assert state["battery_uj"] == 5 * 10**9 + 20_000_000 - 130_000_100


def test_a_full_battery_accepts_only_what_the_phone_uses() -> None:
    plugged = Series(np.array([0]), np.array([1]), DAY_US)
    world = idle_phone(plugged)
    state = world.state[0]
    state["battery_uj"] = 10**10
    advance(world, 0, 100 * SECOND_US, 0, 0, 0, False)
    assert state["battery_uj"] == 10**10
    assert state["accepted_uj"] == state["own_uj"] == 30_000_100


def test_an_empty_phone_starts_again_when_its_charger_has_brought_it_to_boot_level() -> None:
    """Dead from hour 0 on, plugged in at 2 h with 5 W: 100 J take 20 s."""
    charge = Series(np.array([0, 2]) * HOUR_US, np.array([0, 1]), DAY_US)
    world = idle_phone(charge)
    state = world.state[0]
    state["battery_uj"], state["dead"] = 0, True
    boot_us = 2 * HOUR_US + 20 * SECOND_US
    advance(world, 0, boot_us - 1, 0, 0, 0, False)
    assert state["dead"]
    assert state["own_uj"] == 0
    advance(world, 0, boot_us, 0, 0, 0, False)
    assert not state["dead"]
    assert state["battery_uj"] == state["accepted_uj"] == 10**8
    advance(world, 0, boot_us + SECOND_US, 0, 0, 0, False)
    assert state["own_uj"] == between(300_001, boot_us, boot_us + SECOND_US)
    assert state["battery_uj"] == 10**8 + 5_000_000 - int(state["own_uj"])


def test_a_phone_that_is_gone_or_off_neither_spends_nor_is_missed() -> None:
    """Not yet there: no drain and no charging. Off: charging goes on."""
    plugged = Series(np.array([0]), np.array([1]), DAY_US)
    world = idle_phone(plugged, join_us=HOUR_US, leave_us=5 * HOUR_US)
    state = world.state[0]
    state["battery_uj"] = 10**9
    before = world.state.copy()
    advance(world, 0, HOUR_US, 0, 0, 0, False)
    assert state["t_us"] == HOUR_US
    before["t_us"] = HOUR_US
    assert world.state.tobytes() == before.tobytes()
    advance(world, 0, 5 * HOUR_US, 0, 0, 0, False)
    left = world.state.copy()
    advance(world, 0, 9 * DAY_US, 0, 0, 0, False)
    left["t_us"] = 9 * DAY_US
    assert world.state.tobytes() == left.tobytes()


def test_a_phone_that_is_switched_off_at_night_draws_nothing_and_still_charges() -> None:
    plugged = Series(np.array([0]), np.array([1]), DAY_US)
    world = idle_phone(plugged, off_at_night=True, bed_us=23 * HOUR_US, sleep_us=8 * HOUR_US)
    assert presence_at(world, 0, HOUR_US)[0] == 1
    state = world.state[0]
    state["battery_uj"] = 10**9
    advance(world, 0, 100 * SECOND_US, 0, 0, 0, False)
    assert state["own_uj"] == 0
    assert state["battery_uj"] == 10**9 + 500_000_000


def test_after_its_last_death_a_phone_is_gone_for_good_whatever_charger_there_is() -> None:
    plugged = Series(np.array([0, 10 * HOUR_US]), np.array([0, 1]), DAY_US)
    world = idle_phone(plugged, last_death=2)
    state = world.state[0]
    state["battery_uj"] = 300_001 * 3600
    settle(world, 11 * HOUR_US)
    assert (state["deaths"], state["dead"], state["given_up_us"]) == (1, False, 0)
    settle(world, DAY_US)
    state["battery_uj"] = 1  # dies again as soon as the charger is gone
    settle(world, DAY_US + HOUR_US)
    second_us = int(state["given_up_us"])
    assert state["deaths"] == 2
    assert leaves_us(world.traits[0], state) == second_us
    assert presence_at(world, 0, second_us) == (GONE, 2**62)
    accepted = int(state["accepted_uj"])
    settle(world, 5 * DAY_US)
    assert (state["deaths"], state["dead"], state["accepted_uj"]) == (2, True, accepted)


def test_asking_about_the_past_changes_nothing() -> None:
    world = copy_of(world_of("habits"))
    before = world.state.tobytes()
    settle(world, HOUR_US)
    assert world.state.tobytes() == before
