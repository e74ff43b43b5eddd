"""Selection: the same choice as asking everybody, and nobody who cannot take part."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet
from droidloop.devices.phone.battery import settle
from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.link import link_at
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.presence import GONE, IDLE, IN_USE, OFF, presence_at
from droidloop.devices.population.population import Population
from droidloop.network.radio import CELLULAR, NO_RADIO, WIFI
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US
from droidloop.scenarios.runtime.selection import select
from tests.contracts.worlds import mixed, random_jobs, steady

DRAWS = Draws(4, "selection")
PHONES = 400


def busy_day() -> Population:
    """Return phones of which some work, some are dead, some are gone, nine hours into a day."""
    population = mixed(PHONES)
    for k in range(4):
        jobs = random_jobs(
            population, Draws(4, "day"), k, plan_us=k * 2 * HOUR_US, first=0, count=PHONES // 4
        )
        play_cohort(population.world, jobs.rows)
    return population


DAY = busy_day()


def fresh() -> Population:
    """Return the same phones in a state of their own."""
    world = DAY.world._replace(state=DAY.state.copy())
    return Population(world, DAY.profiles, DAY.regions, DAY.radios)


def can_take_part(
    population: Population, t_us: int, needs: Need, ram_bytes: int, min_battery: float
) -> list[int]:
    """Return who can, by asking everybody in plain Python after settling everybody's accounts."""
    world, traits = population.world, population.traits
    settle(world, t_us)
    chosen = []
    for phone in range(len(population)):
        state = population.state[phone]
        presence = presence_at(world, phone, t_us)[0]
        radio = link_at(world, phone, t_us, False)[0]
        level = int(state["battery_uj"])
        conditions = [
            int(state["busy_until_us"]) <= t_us,
            not state["dead"],
            presence not in (GONE, OFF),
            presence == IDLE or Need.IDLE not in needs,
            radio != NO_RADIO,
            radio == WIFI or Need.UNMETERED not in needs,
            charger_at(world, phone, t_us)[0] > 0 or Need.CHARGING not in needs,
            ram_bytes <= traits["ram_bytes"][phone] - traits["system_ram_bytes"][phone],
            level >= traits["floor_uj"][phone],
            level >= min_battery * traits["capacity_uj"][phone],
        ]
        if all(conditions):
            chosen.append(phone)
    return chosen


@given(
    t_us=st.integers(9 * HOUR_US, 3 * DAY_US),
    needs=st.integers(0, 7).map(Need),
    ram_bytes=st.sampled_from([0, 2**30, 3 * 2**30]),
    min_battery=st.sampled_from([0.0, 0.3, 0.7]),
    clients=st.one_of(st.none(), st.integers(0, PHONES + 10)),
    counter=st.integers(0, 1000),
)
def test_a_selection_is_a_draw_among_all_who_can(
    t_us: int,
    needs: Need,
    ram_bytes: int,
    min_battery: float,
    clients: int | None,
    counter: int,
) -> None:
    """Though it asks only as many as it takes."""
    rule: dict[str, Any] = {"needs": needs, "ram_bytes": ram_bytes, "min_battery": min_battery}
    able = np.array(can_take_part(fresh(), t_us, **rule), np.int64)
    wanted = PHONES if clients is None else clients
    asked = fresh()
    chosen = select(asked.world, t_us, DRAWS, counter, clients=clients, **rule)
    assert chosen.tolist() == DRAWS.choose(able, wanted, counter).tolist()
    assert chosen.dtype == np.int64


def test_asking_changes_no_phone() -> None:
    """Accounts of those that were asked are further on, and end where they would have."""
    asked, left = fresh(), fresh()
    for k in range(20):
        t_us = (9 + k) * HOUR_US
        select(asked.world, t_us, DRAWS, k, clients=30, needs=Need(0), ram_bytes=0, min_battery=0.2)
    for population in (asked, left):
        settle(population.world, 3 * DAY_US)
    assert asked.state.tobytes() == left.state.tobytes()


def test_every_mode_of_needs_finds_somebody_and_refuses_somebody() -> None:
    """A test of empty selections would say nothing."""
    for needs in map(Need, range(8)):
        found = {
            len(can_take_part(fresh(), hour * HOUR_US, needs, 0, 0.0)) for hour in range(9, 48, 3)
        }
        assert max(found) > 10, needs
        assert min(found) < PHONES * 0.9, needs


def test_each_phone_is_chosen_as_often_as_any_other() -> None:
    """Chi-square with 99 degrees of freedom: 148.2 is passed once in a thousand seeds."""
    population = steady("wifi", phones=100)
    counts = np.zeros(100)
    for counter in range(2000):
        chosen = select(
            population.world,
            0,
            DRAWS,
            counter,
            clients=10,
            needs=Need(0),
            ram_bytes=0,
            min_battery=0.0,
        )
        counts[chosen] += 1
    assert counts.sum() == 20_000
    # without replacement: 10 of 100 leave nine tenths of the variance
    assert ((counts - 200) ** 2 / 200).sum() / 0.9 < 148.2


ASKED: dict[str, Any] = {"clients": 5, "needs": Need(0), "ram_bytes": 0, "min_battery": 0.0}


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"join_us": HOUR_US}, {}),
        ({"leave_us": 1}, {}),
        ({"floor_uj": 10**12}, {}),
        ({"system_ram_bytes": 2**60}, {"ram_bytes": 1}),
        ({"charge_uw": 0}, {"needs": Need.CHARGING}),
    ],
)
def test_a_phone_that_cannot_is_not_asked(change: dict[str, Any], rule: dict[str, Any]) -> None:
    population = steady("wifi", phones=5)
    for name, value in change.items():
        population.traits[name][2] = value
    chosen = select(population.world, 10, DRAWS, 0, **{**ASKED, **rule})
    assert chosen.tolist() == [0, 1, 3, 4]


@pytest.mark.parametrize(
    ("change", "able"),
    [({"busy_until_us": 11}, 4), ({"busy_until_us": 10}, 5), ({"dead": True}, 4)],
)
def test_a_phone_that_is_busy_or_dead_is_not_asked(change: dict[str, Any], able: int) -> None:
    population = steady("wifi", phones=5)
    population.traits["charge_uw"] = 0
    for name, value in change.items():
        population.state[name][2] = value
    assert len(select(population.world, 10, DRAWS, 0, **ASKED)) == able


def test_a_phone_in_a_gap_or_outside_is_not_asked_for_what_it_lacks() -> None:
    population = fresh()
    seen = set()
    for t_us in range(9 * HOUR_US, 30 * HOUR_US, 2 * HOUR_US):
        chosen = select(population.world, t_us, DRAWS, 0, **{**ASKED, "clients": None})
        for phone in chosen:
            radio = link_at(population.world, phone, t_us, False)[0]
            seen.add((radio, presence_at(population.world, phone, t_us)[0]))
    assert seen == {(radio, on) for radio in (CELLULAR, WIFI) for on in (IDLE, IN_USE)}


@pytest.mark.parametrize("fleet", [CohortFleet, ExactFleet])
def test_phones_at_work_are_not_chosen_for_a_second_round(fleet: type[CohortFleet]) -> None:
    engine, population = Engine(), steady("wifi", phones=40, mbps=8)
    player = fleet(engine, population)
    chosen = []

    def rounds() -> Process:
        for number in range(6):
            yield engine.until(number * SECOND_US)
            phones = select(
                population.world, engine.now_us, DRAWS, number, **{**ASKED, "clients": 10}
            )
            chosen.append(phones.tolist())
            player.run(
                Jobs.plan(
                    phones,
                    kind=Kind.TRAIN,
                    plan_us=engine.now_us,
                    first=10 * number,
                    load_bytes=-1,
                    down_bytes=3_500_000,
                )
            )

    engine.process(rounds())
    engine.run(20 * SECOND_US)
    for number in range(3):
        assert len({phone for phones in chosen[number : number + 4] for phone in phones}) == 40
