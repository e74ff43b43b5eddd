"""Radios by year, never mixed; what losses do to a transfer; phones on a map."""

from dataclasses import replace

import numpy as np
import pytest

from droidloop.devices.phone.link import cellular_at
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.presence import home_at
from droidloop.devices.population.population import Population, PopulationSpec, build
from droidloop.devices.population.profiles import PROFILES
from droidloop.devices.population.radios import DEFAULT_RADIOS, MBIT, cellular_radios
from droidloop.network.loss import QUALITY, goodput, handshake_us, rtt_at
from droidloop.network.map import OPTUS, area_share, time_share
from droidloop.network.movement import at_home, map_covered_at
from droidloop.network.presets import PRESETS
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, reached
from tests.contracts.worlds import steady


@pytest.mark.parametrize("year", list(PRESETS))
def test_all_radios_of_a_population_are_of_its_year(year: str) -> None:
    weights = dict.fromkeys(cellular_radios(year), 1.0)
    assert set(DEFAULT_RADIOS[year]) <= set(weights)
    population = build(PopulationSpec(50, radio_year=year, radios=weights), Draws(1, "year"))
    names = [*weights, "wifi"]
    assert population.radios == list(weights)
    for row, name in zip(population.world.radios, names, strict=True):
        assert row == PRESETS[year][name].row()[0]
    assert (population.traits["cell_down_rate"] > 0).all()


def test_years_are_not_mixed() -> None:
    spec = PopulationSpec(5, radio_year="2012", radios={"5g": 1.0})
    with pytest.raises(ScenarioError, match="'5g' is not among those measured in 2012"):
        build(spec, Draws(1, "year"))


def test_radios_are_of_the_year_of_the_phone() -> None:
    """5G in phones from 2020 on; an old phone of one's own has the powers of its time."""
    old = replace(PROFILES["2017-2gb"], name="2013-1gb")
    spec = PopulationSpec(
        400,
        profiles={"2013-1gb": 1.0, "2018-4gb": 1.0, "2024-12gb": 1.0},
        profile_table={**PROFILES, "2013-1gb": old},
        wifi_share=1.0,
    )
    population = build(spec, Draws(1, "year"))
    rows = population.world.radios
    found: dict[int, set[str]] = {}
    for phone in population.traits:
        name = population.radios[phone["radio"]]
        found.setdefault(int(phone["profile"]), set()).add(name)
        year = "2012" if phone["profile"] == 0 else "2021"
        assert rows[phone["radio"]] == PRESETS[year][name].row()[0]
        assert rows[phone["wifi"]] == PRESETS[year]["wifi"].row()[0]
    assert found == {0: {"3g", "lte"}, 1: {"lte"}, 2: {"lte", "5g"}}


def test_given_radios_are_of_the_nearest_year_that_measured_them() -> None:
    population = build(PopulationSpec(50, radios={"3g": 1.0, "lte": 1.0}), Draws(1, "year"))
    assert population.radios == ["3g", "lte"]
    assert population.world.radios[0] == PRESETS["2012"]["3g"].row()[0]
    assert population.world.radios[1] == PRESETS["2021"]["lte"].row()[0]


def test_phones_on_5g_are_faster_than_those_on_lte() -> None:
    population = build(PopulationSpec(2000, radio_year="2021"), Draws(1, "rates"))
    rate = population.traits["cell_down_rate"] / MBIT
    for number, mbps in enumerate((10.0, 40.0)):
        median = np.median(rate[population.traits["radio"] == number])
        assert abs(median / mbps - 1) < 0.1


def lossy(radio: str = "3g", **options: object) -> Population:
    """Return one phone whose rates are steady and whose packets get lost."""
    population = steady(radio, mbps=20)
    quality = QUALITY[radio].row()
    world = population.world._replace(quality=np.concatenate([quality, quality]))
    return Population(world, population.profiles, population.regions, population.radios)


def download(population: Population, plan_us: int, size: int) -> np.void:
    """Play one download on phone 0 and return its row."""
    jobs = Jobs.plan(
        np.array([0]), kind=Kind.TRAIN, plan_us=plan_us, first=0, load_bytes=-1, down_bytes=size
    )
    play_cohort(population.world, jobs.rows)
    row: np.void = jobs.rows[0]
    return row


def test_a_download_takes_promotion_handshake_and_its_bytes_at_the_goodput() -> None:
    """Each worked out from the laws of losses alone, for connections of a day."""
    population = lossy()
    world = population.world
    radio, law = world.radios[0], world.quality[0]
    lengths = []
    for plan_us in range(0, DAY_US, 97 * MINUTE_US):
        start_us = plan_us + int(radio["promotion_us"])
        rtt_us = rtt_at(world.keys.trips, 0, start_us, law)
        shaken_us = handshake_us(
            world.keys.losses, 0, start_us, rtt_us, int(radio["handshakes"]), law
        )
        rate = goodput(round(20 * MBIT), rtt_us, law)
        end_us = reached(rate, start_us + shaken_us, 50_000)
        row = download(population, plan_us, 50_000)
        assert row["down_end_us"] == end_us
        lengths.append(end_us - plan_us)
    assert len(set(lengths)) == len(lengths), "no two connections are alike"


def test_losses_leave_recorded_rates_alone() -> None:
    population = lossy()
    population.traits["rate_series"], population.traits["offset_us"] = 0, 0
    world = population.world
    world.knots[:] = 1_000_000
    world.series["span_us"], world.series["count"] = DAY_US, 1
    world.quality["rtt_sigma"] = 0.0
    world.quality["bad"] = 0.0
    row = download(population, 0, 2_000_000)
    radio = world.radios[0]
    start_us = int(radio["promotion_us"]) + 2 * int(world.quality["rtt_us"][0])
    assert row["down_end_us"] == reached(1_000_000, start_us, 2_000_000)


def on_a_map(phones: int) -> Population:
    """Return phones on the Optus map, whose radios never fade."""
    population = build(PopulationSpec(phones, map=OPTUS), Draws(2, "map"))
    population.world.regions["clear_us"] = population.world.regions["fade_us"] = 0
    return population


def test_on_a_map_a_phone_is_covered_where_the_map_is_and_at_home_where_its_home_is() -> None:
    population = on_a_map(30)
    world = population.world
    seen = set()
    for phone in range(30):
        for t_us in range(0, DAY_US, 31 * MINUTE_US):
            covered, _ = map_covered_at(world.map, phone, t_us)
            down, _, _ = cellular_at(world, phone, t_us)
            assert (down > 0) == covered
            assert home_at(world, phone, t_us) == at_home(world.map, phone, t_us)
            seen.add((covered, home_at(world, phone, t_us)[0]))
    assert len(seen) >= 3


def test_the_share_of_time_covered_is_that_of_where_phones_are_and_not_of_places() -> None:
    """70 % of places, but people live near masts."""
    population = on_a_map(100)
    world = population.world
    assert abs(area_share(world.map) - 0.70) < 0.001
    assert abs(area_share(world.map, remote=True) - 0.60) < 0.001
    times = range(0, 2 * DAY_US, HOUR_US // 4)
    asked = np.mean(
        [cellular_at(world, phone, t_us)[0] > 0 for phone in range(100) for t_us in times]
    )
    exact = time_share(world.map, np.arange(100), 0, 2 * DAY_US)
    assert abs(asked - exact) < 0.01
    assert exact > 0.8
