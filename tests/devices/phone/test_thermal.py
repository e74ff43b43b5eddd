"""Heat: full speed for a while, then less; any cut of computing gives the same heat."""

import csv
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.thermal import SUSTAINED_US, THROTTLED_PERCENT, heat_at, heat_up
from droidloop.devices.population.population import Population
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import DAY_US, SECOND_US, between
from tests.contracts.worlds import steady


def phone() -> Population:
    """Return a phone of 1 GFLOP/s that is throttled to a half after 10 s of computing."""
    return steady("lte", flops_per_s=10**9, throttle_us=10 * SECOND_US, throttle_percent=50)


def computed(population: Population, plan_s: int, gflop: int) -> tuple[float, int]:
    """Return how many seconds *gflop* take from *plan_s* on, and their energy."""
    jobs = Jobs.plan(
        np.array([0]),
        kind=Kind.TRAIN,
        plan_us=plan_s * SECOND_US,
        first=0,
        load_bytes=-1,
        flops=gflop * 10**9,
        deadline_us=plan_s * SECOND_US + DAY_US,
    )
    play_cohort(population.world, jobs.rows)
    row = jobs.rows[0]
    return float(row["compute_end_us"] - row["start_us"]) / SECOND_US, int(row["cpu_uj"])


def test_computing_is_at_full_speed_until_the_phone_is_hot_and_then_throttled() -> None:
    assert computed(phone(), 0, 10)[0] == 10.0
    assert computed(phone(), 0, 30)[0] == 10.0 + 2 * 20.0


def test_a_throttled_core_takes_the_energy_of_its_work() -> None:
    population = phone()
    power_uw = int(population.traits["cpu_uw"][0])
    _, energy_uj = computed(population, 0, 30)
    assert abs(energy_uj - between(power_uw, 0, 30 * SECOND_US)) <= 40


def test_a_phone_cools_as_long_as_it_was_heated() -> None:
    population = phone()
    assert computed(population, 0, 6)[0] == 6.0
    # of 6 s, 3 are left after 3 s of rest: so 7 s at full speed remain
    assert computed(population, 9, 9)[0] == 7.0 + 2 * 2.0
    assert computed(population, 9 + 11 + 10, 10)[0] == 10.0


@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=9), st.integers(1, 10**8))
def test_heat_by_parts_is_heat_at_once(parts: list[int], limit_us: int) -> None:
    population = steady("lte", phones=2, throttle_us=limit_us)
    whole, cut = population.state[0], population.state[1]
    traits = population.traits[0]
    heat_up(traits, whole, 0, sum(parts))
    t_us = 0
    for part in parts:
        heat_up(traits, cut, t_us, t_us + part)
        t_us += part
    assert (whole["heat_us"], whole["heat_at_us"]) == (cut["heat_us"], cut["heat_at_us"])
    assert heat_at(whole, t_us + limit_us) == 0


def test_the_law_is_the_best_two_levels_of_the_recorded_run(shared: Path) -> None:
    with (shared / "data/devices/mnn_thermal_run.csv").open() as file:
        rows = list(csv.DictReader(file))
    mean = np.array([np.mean([float(row[f"cpu{k}_khz"]) for k in range(4)]) for row in rows])
    spread = [
        mean[:k].var() * k + mean[k:].var() * (len(mean) - k) for k in range(2, len(mean) - 2)
    ]
    split = 2 + int(np.argmin(spread))
    assert abs(int(rows[split]["t_ms"]) * 1000 - SUSTAINED_US) < 20_000
    assert round(100 * mean[split:].mean() / mean[:split].mean()) == THROTTLED_PERCENT
