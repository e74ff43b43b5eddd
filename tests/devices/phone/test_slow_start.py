"""Transfers of phones that start slowly: the closed form where rates stay, energy, shared cells."""

from typing import Any

import numpy as np
import pytest

from droidloop.devices.fleets.fleet import ExactFleet
from droidloop.devices.phone.cells import Cells
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.population.population import Population, PopulationSpec, build
from droidloop.network.slow_start import INITIAL_WINDOW_BYTES, finish_us
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import DAY_US, HOUR_US, SECOND_US
from tests.contracts.worlds import steady

RTT_US = 84_000
SIZES = [1, 14_480, 14_481, 100_000, 1_000_000, 7_654_321]


def slow(mbps: float, *, series: list[Series] | None = None, phones: int = 1) -> Population:
    """Return LTE phones of a steady rate whose connections start slowly; radios promote at once."""
    population = steady("lte", mbps=mbps, series=series, phones=phones, capacity_uj=10**15)
    radios = population.world.radios
    radios["rtt_us"], radios["window_bytes"] = RTT_US, INITIAL_WINDOW_BYTES
    radios["promotion_us"] = radios["handshakes"] = 0
    return population


def transfer(population: Population, nbytes: int, plan_us: int = HOUR_US, way: str = "down") -> Any:
    jobs = Jobs.plan(np.array([0]), kind=Kind.TRAIN, plan_us=plan_us, first=0, load_bytes=-1)
    jobs.rows[f"{way}_bytes"] = nbytes
    play_cohort(population.world, jobs.rows)
    assert jobs.done.all()
    return jobs.rows[0]


@pytest.mark.parametrize("way", ["down", "up"])
@pytest.mark.parametrize("mbps", [0.5, 10, 300])
@pytest.mark.parametrize("nbytes", SIZES)
def test_at_a_steady_rate_a_transfer_ends_where_the_closed_form_says(
    nbytes: int, mbps: float, way: str
) -> None:
    row = transfer(slow(mbps), nbytes, HOUR_US + 12_345, way)
    rate = round(mbps * 125_000)
    expected = finish_us(HOUR_US + 12_345, nbytes, rate, RTT_US, INITIAL_WINDOW_BYTES)
    assert row["finish_us"] == expected
    assert row[f"{way}loaded_bytes" if way == "down" else "uploaded_bytes"] == nbytes


def test_waiting_for_acknowledgements_takes_the_power_of_a_radio_at_no_rate() -> None:
    nbytes, rate = 100_000, 37_500_000
    quick, late = slow(300), slow(300)
    quick.world.radios["window_bytes"] = 0
    energies = [int(transfer(population, nbytes)["radio_uj"]) for population in (quick, late)]
    base_uw = int(late.world.radios["base_uw"][0])
    waited_us = finish_us(0, nbytes, rate, RTT_US, INITIAL_WINDOW_BYTES) - nbytes / 37.5
    assert energies[1] - energies[0] == pytest.approx(
        base_uw * waited_us / 1e6, abs=60
    )  # 17 W for 3 us


def test_a_connection_after_a_gap_starts_slowly_again() -> None:
    """Ten seconds on and five off, 80 Mbit/s: what is late is late twice."""
    values = np.array([10_000_000, 0, 10_000_000])
    series = Series(np.array([0, 10, 15]) * SECOND_US, values, DAY_US)
    once, twice = slow(80, series=[series]), slow(80, series=[series])
    for population in (once, twice):
        population.traits["offset_us"] = 0
    start_us = 9_000_000
    late_us = finish_us(0, 10**7, 10**7, RTT_US, INITIAL_WINDOW_BYTES) - SECOND_US
    assert late_us > RTT_US
    end_us = int(transfer(twice, 2 * 10**7, start_us)["finish_us"])
    # the first second carries less by what was late, and that comes on top after the gap
    assert end_us == pytest.approx(15 * SECOND_US + SECOND_US + 2 * late_us, abs=4)
    assert int(transfer(once, 10**6, start_us)["finish_us"]) < 10 * SECOND_US


def test_a_phone_alone_in_a_cell_that_is_wide_enough_is_as_slow_as_one_without_a_cell() -> None:
    rows = []
    for cells in (None, Cells(np.array([0]), 10**9, 10**9)):
        population, engine = slow(10), Engine()
        fleet = ExactFleet(engine, Population(population.world, population.profiles, [], [], cells))
        jobs = Jobs.plan(np.array([0]), kind=Kind.TRAIN, plan_us=0, first=0, load_bytes=-1)
        jobs.rows["down_bytes"], jobs.rows["up_bytes"] = 500_000, 200_000
        engine.run(fleet.run(jobs))
        rows.append(jobs.rows.copy())
    assert rows[0].tobytes() == rows[1].tobytes()


def test_phones_start_slowly_only_where_that_is_asked_for() -> None:
    windows = {
        on: build(PopulationSpec(3, slow_start=on), Draws(1, "slow")).world.radios["window_bytes"]
        for on in (False, True)
    }
    assert set(windows[False].tolist()) == {0}
    assert set(windows[True].tolist()) == {INITIAL_WINDOW_BYTES}
