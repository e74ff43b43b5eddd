"""A population: each phone drawn by its number and the attribute, and by nothing else."""

import numpy as np
import pytest

from droidloop.devices.population.population import REGIONS, PopulationSpec, build
from droidloop.devices.population.profiles import PROFILES
from droidloop.devices.population.stays import ChurnSpec
from droidloop.network.coverage import Region
from droidloop.network.trace import Series
from droidloop.platform.draws import Draws
from droidloop.platform.units import DAY_US, HOUR_US, NEVER_US, SECOND_US

DRAWS = Draws(2, "population")
SERIES = [
    Series(np.arange(9 + k) * SECOND_US, np.arange(9 + k), (9 + k) * SECOND_US) for k in (0, 1)
]
EVERYTHING = {
    "churn": ChurnSpec(lifetime_days=2.0, arrivals_days=1.0),
    "rate_series": SERIES,
    "charge_series": SERIES,
}


@pytest.mark.parametrize("phones", [1, 2, 7, 64, 999])
def test_a_phone_is_the_same_whatever_the_number_of_phones(phones: int) -> None:
    """To the bit, though powers of e are taken of whole columns."""
    many = build(PopulationSpec(1000, **EVERYTHING), DRAWS)  # type: ignore[arg-type]
    few = build(PopulationSpec(phones, **EVERYTHING), DRAWS)  # type: ignore[arg-type]
    assert few.traits.tobytes() == many.traits[:phones].tobytes()
    assert few.state.tobytes() == many.state[:phones].tobytes()


def test_the_same_seed_gives_the_same_phones_and_another_others() -> None:
    spec = PopulationSpec(50)
    assert build(spec, DRAWS).traits.tobytes() == build(spec, DRAWS).traits.tobytes()
    assert (
        build(spec, DRAWS).traits.tobytes() != build(spec, Draws(3, "population")).traits.tobytes()
    )


def test_one_choice_more_does_not_change_the_others() -> None:
    """Attributes are drawn apart: with another wifi_share the batteries stay."""
    one = build(PopulationSpec(200, wifi_share=0.2), DRAWS)
    other = build(PopulationSpec(200, wifi_share=0.9, churn=ChurnSpec(lifetime_days=3.0)), DRAWS)
    for name in one.traits.dtype.names or ():
        if name not in ("wifi", "leave_us"):
            assert np.array_equal(one.traits[name], other.traits[name]), name
    assert one.state.tobytes() == other.state.tobytes()


SPEC = PopulationSpec(20_000, radios={"3g": 0.3, "lte": 0.7})
PEOPLE = build(SPEC, DRAWS)
TRAITS = PEOPLE.traits


@pytest.mark.parametrize("name", ["profile", "region", "radio"])
def test_weights_become_shares(name: str) -> None:
    weights = np.array(list(getattr(SPEC, f"{name}s").values()))
    expected = 20_000 * weights / weights.sum()
    counts = np.bincount(TRAITS[name], minlength=len(weights))
    assert ((counts - expected) ** 2 / expected).sum() < 22.5  # chi-square, 6 degrees, 0.1 %
    names = getattr(PEOPLE, f"{name}s")
    assert names == list(getattr(SPEC, f"{name}s"))


def test_a_weight_of_0_gives_nobody() -> None:
    spec = PopulationSpec(5000, regions={"urban": 0.0, "rural": 3.0, "remote": 0.0})
    assert set(build(spec, DRAWS).traits["region"].tolist()) == {1}


def test_wifi_shares_and_links() -> None:
    has = TRAITS["wifi"] >= 0
    assert abs(has.mean() - 0.85) < 4 * np.sqrt(0.85 * 0.15 / 20_000)
    assert set(TRAITS["wifi"][has].tolist()) == {len(PEOPLE.radios)}
    for number, median_mbps in enumerate((1.0, 10.0)):
        rates = TRAITS["cell_down_rate"][TRAITS["radio"] == number] * 8 / 1e6
        assert abs(np.log(np.median(rates) / median_mbps)) < 0.06
        assert abs(np.log(rates).std() - 0.6) < 0.03
    assert TRAITS["cell_up_rate"].min() >= 1000
    assert (TRAITS["cell_up_rate"] < TRAITS["cell_down_rate"]).all()


def test_batteries_are_aged_and_partly_charged() -> None:
    new = np.array([PROFILES[name].capacity_uj for name in PEOPLE.profiles])[TRAITS["profile"]]
    health = TRAITS["capacity_uj"] / new
    assert 0.8 <= health.min() < 0.81
    assert 0.99 < health.max() <= 1.0
    level = PEOPLE.state["battery_uj"] / TRAITS["capacity_uj"]
    assert 0.25 - 1e-6 <= level.min() < 0.26
    assert 0.94 < level.max() <= 0.95
    assert (TRAITS["boot_uj"] == TRAITS["capacity_uj"] // 50).all()
    assert (TRAITS["floor_uj"] <= 0.15 * TRAITS["capacity_uj"]).all()


def test_what_apps_leave_is_never_less_than_nothing() -> None:
    spare = TRAITS["ram_bytes"] - TRAITS["system_ram_bytes"] - TRAITS["apps_ram_bytes"]
    assert spare.min() > 0
    assert TRAITS["free_storage_bytes"].min() >= 0


def test_habits_are_such_that_a_day_holds_together() -> None:
    """Bounds that the laws rely on: people sleep less than a day and leave before they return."""
    assert TRAITS["bed_us"].min() >= 21 * HOUR_US
    assert TRAITS["bed_us"].max() <= 25 * HOUR_US
    assert TRAITS["sleep_us"].min() >= 6 * HOUR_US
    assert TRAITS["sleep_us"].max() <= 8.5 * HOUR_US
    assert TRAITS["away_us"].max() < TRAITS["home_us"].min()
    assert (TRAITS["join_us"] == 0).all()
    assert (TRAITS["leave_us"] == NEVER_US).all()


def test_phones_come_within_the_arrivals_and_stay_as_long_as_their_lifetime() -> None:
    spec = PopulationSpec(20_000, churn=ChurnSpec(arrivals_days=2.0, lifetime_days=5.0))
    traits = build(spec, DRAWS).traits
    assert 0 <= traits["join_us"].min() < 0.01 * DAY_US
    assert 1.99 * DAY_US < traits["join_us"].max() < 2 * DAY_US
    stay = traits["leave_us"] - traits["join_us"]
    assert stay.min() > 0
    assert abs(stay.mean() / DAY_US - 5) < 4 * 5 / np.sqrt(20_000)


def test_ideal_phones_have_no_limits_but_keep_their_speed() -> None:
    ideal = build(PopulationSpec(500, ideal=True), DRAWS)
    real = build(PopulationSpec(500), DRAWS)
    assert np.array_equal(ideal.traits["flops_per_s"], real.traits["flops_per_s"])
    assert np.array_equal(ideal.state["battery_uj"], ideal.traits["capacity_uj"])
    assert (ideal.traits["wifi"] >= 0).all()
    assert (ideal.traits["floor_uj"] == 0).all()
    assert ideal.traits["free_storage_bytes"].min() >= 2**40


def test_a_region_of_ones_own_is_used() -> None:
    table = {**REGIONS, "tunnel": Region(0.5, 10.0, rate_percent=20)}
    population = build(PopulationSpec(5, regions={"tunnel": 1.0}, region_table=table), DRAWS)
    row = population.world.regions[0]
    assert (row["covered_us"], row["gap_us"], row["rate_percent"]) == (10**7, 10**7, 20)
    assert population.regions == ["tunnel"]


def test_recordings_are_shared_out_and_found_again_in_the_pack() -> None:
    population = build(PopulationSpec(400, **EVERYTHING), DRAWS)  # type: ignore[arg-type]
    assert set(population.traits["rate_series"].tolist()) == {0, 1}
    assert set(population.traits["charge_series"].tolist()) == {2, 3}
    spans = population.world.series["span_us"]
    assert spans.tolist() == [9 * SECOND_US, 10 * SECOND_US] * 2
    plain = build(PopulationSpec(4), DRAWS)
    assert set(plain.traits["rate_series"].tolist()) == {-1}
    assert set(plain.traits["charge_series"].tolist()) == {-1}
