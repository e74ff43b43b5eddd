"""Small populations whose rates, powers and habits a test knows."""

from typing import Any

import numpy as np

from droidloop.devices.population.population import Population, PopulationSpec, build
from droidloop.devices.population.radios import MBIT
from droidloop.devices.population.stays import ChurnSpec
from droidloop.network.coverage import Region
from droidloop.network.direct import DIRECT
from droidloop.network.trace import Series
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Jobs, Kind, Need
from droidloop.platform.units import HOUR_US, MINUTE_US, SECOND_US


def steady(
    radio: str,
    *,
    phones: int = 1,
    mbps: float = 1.0,
    up_mbps: float | None = None,
    series: list[Series] | None = None,
    **traits: Any,
) -> Population:
    """Return phones that are always on and covered, with one radio, constant rates, no round trips.

    ``radio="wifi"`` is at home for ever and on a charger; the others are never at home. Batteries
    are full. *traits* replace columns.
    """
    wifi = radio == "wifi"
    spec = PopulationSpec(
        phones,
        regions={"everywhere": 1.0},
        region_table={"everywhere": Region(1.0, 1.0)},
        radios={"3g" if wifi else radio: 1.0},
        radio_year="2012",
        wifi_share=0.0,
        off_at_night_share=0.0,
        ideal=wifi,
        rate_series=series or [],
    )
    population = build(spec, Draws(3, "steady"))
    population.world.radios["rtt_us"] = 0
    table = population.traits
    for link in ("cell", "wifi"):
        table[f"{link}_down_rate"] = round(mbps * MBIT)
        table[f"{link}_up_rate"] = round((mbps if up_mbps is None else up_mbps) * MBIT)
    table["floor_uj"] = 0
    for name, values in traits.items():
        table[name] = values
    population.state["battery_uj"] = table["capacity_uj"]
    return population


def mixed(
    phones: int, *, seed: int = 1, ideal: bool = False, recorded: bool = False, **options: Any
) -> Population:
    """Return a population in which everything happens: gaps, nights, deaths, departures, refusals.

    With *recorded*, cellular rates and charging windows are played back from (made) recordings.
    """
    draws = Draws(seed, "mixed")
    if recorded:
        options["rate_series"] = [rate_series(draws, 120 + 60 * k, k) for k in range(5)]
        options["charge_series"] = [charge_series(draws, k) for k in range(4)]
    options.setdefault("radio_year", "2012")
    spec = PopulationSpec(
        phones,
        direct=DIRECT["wifi-direct"],
        off_at_night_share=0.3,
        churn=ChurnSpec(lifetime_days=1.5, arrivals_days=0.3),
        start_hour=4.0,
        ideal=ideal,
        **options,
    )
    population = build(spec, draws)
    if not ideal:
        # a third is nearly empty, so that phones die, refuse and come back
        nearly_empty = draws.uniform(np.arange(phones), 7) < 0.33
        level = draws.integers(np.arange(phones), 8, 40_000_000) * 20
        population.state["battery_uj"][nearly_empty] = 1 + level[nearly_empty]
        population.traits["floor_uj"][::2] = 0
    return population


def rate_series(draws: Draws, seconds: int, number: int) -> Series:
    """Return a made link recording of whole seconds, one in six of them without any rate."""
    steps = np.arange(seconds)
    rates = (draws.exponential(steps, 2 * number, 100_000.0)).astype(np.int64)
    rates[draws.uniform(steps, 2 * number + 1) < 1 / 6] = 0
    rates[0] = 1 + rates[0]
    return Series(steps * SECOND_US, rates, seconds * SECOND_US)


def charge_series(draws: Draws, number: int) -> Series:
    """Return a made recording of three days of charging, plugged in and out by turns."""
    knots = np.unique(draws.integers(np.arange(12), number, 3 * 24 * 60)) * MINUTE_US
    times = np.union1d([0], knots).astype(np.int64)
    return Series(times, np.arange(len(times)) % 2, 72 * HOUR_US)


def random_jobs(
    population: Population, draws: Draws, batch: int, *, plan_us: int, first: int, count: int
) -> Jobs:
    """Return jobs of all sorts: sizes, needs, memory, deadlines; some phones have two or three."""
    numbers = np.arange(count)

    def below(high: int, counter: int) -> IntArray:
        return draws.child(counter).integers(numbers, batch, high)

    def size(mean: float, counter: int, zero: float) -> IntArray:
        many = draws.child(counter).exponential(numbers, batch, mean).astype(np.int64)
        many[draws.child(counter + 100).uniform(numbers, batch) < zero] = 0
        return many

    jobs = Jobs.plan(
        below(len(population), 0).astype(np.int64),
        kind=Kind.TRAIN,
        plan_us=plan_us,
        first=first,
        round=batch,
        needs=np.where(below(2, 1) == 0, 0, below(16, 2)),
        version=batch,
        deadline_us=plan_us + 1 + below(2_000_000_000, 3) * (1 + below(8, 4)),
        down_bytes=size(2e6, 5, 0.2),
        up_bytes=size(5e5, 6, 0.2),
        flops=size(1e13, 7, 0.2),
        moved_bytes=size(1e10, 8, 0.5),
        operators=size(1e3, 13, 0.5),
        load_bytes=size(3e7, 9, 0.2) - 1,
        ram_bytes=size(9e8, 10, 0.2),
        storage_bytes=size(4e9, 11, 0.5),
        runtime=below(2, 12) * 200,
    )
    assert int(max(Need)) == 8
    return jobs
