"""The law of a job, case by case: what it waits for, what ends it, what it takes."""

from typing import Any

import numpy as np
import pytest

from droidloop.devices.phone.charging import charger_at
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.phone.presence import IDLE, IN_USE, asleep_at, home_at, presence_at
from droidloop.devices.population.population import Population
from droidloop.network.trace import Series
from droidloop.platform.jobs import ENERGY_PARTS, Jobs, Kind, Need, Outcome
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, NEVER_US, SECOND_US, between
from tests.contracts.worlds import steady

GIB = 2**30


def one_job(population: Population, *, plan_us: int = 0, **columns: Any) -> np.void:
    """Play one job on phone 0 and return its row."""
    jobs = Jobs.plan(
        np.array([0]),
        plan_us=plan_us,
        first=0,
        **{"kind": Kind.TRAIN, "load_bytes": -1, "deadline_us": plan_us + DAY_US, **columns},
    )
    play_cohort(population.world, jobs.rows)
    row: np.void = jobs.rows[0]
    assert row["energy_uj"] == sum(row[name] for name in ENERGY_PARTS)
    return row


def test_a_job_of_nothing_takes_no_time_and_no_energy() -> None:
    row = one_job(steady("lte"), plan_us=HOUR_US)
    assert row["outcome"] == Outcome.DONE
    times = [row[name] for name in ("start_us", "down_end_us", "compute_end_us", "finish_us")]
    assert times == [HOUR_US] * 4
    assert row["energy_uj"] == 0


def test_a_job_without_bytes_leaves_the_radio_asleep() -> None:
    population = steady("lte", flops_per_s=10**9)
    row = one_job(population, flops=5 * 10**9)
    assert row["finish_us"] == 5 * SECOND_US
    assert (row["promotion_uj"], row["radio_uj"], row["tail_uj"]) == (0, 0, 0)
    assert population.state["cell_end_us"][0] == -1


@pytest.mark.parametrize(
    ("work", "expected_us"),
    [
        ({"flops": 3 * 10**9}, 3 * SECOND_US),
        ({"flops": 1}, 1),
        ({"moved_bytes": 10**9}, SECOND_US // 2),
        ({"operators": 50}, 400),
        ({"flops": 10**9, "moved_bytes": 4 * 10**9}, 3 * SECOND_US),
        ({"load_bytes": 0}, 550_000),
        ({"flops": 10**9, "load_bytes": 10**8}, SECOND_US + 550_000 + SECOND_US),
    ],
)
def test_computing_takes_operators_arithmetic_memory_and_what_it_takes_to_wake_and_start(
    work: dict[str, int], expected_us: int
) -> None:
    population = steady(
        "lte",
        flops_per_s=10**9,
        memory_bytes_per_s=2 * 10**9,
        storage_bytes_per_s=10**8,
        operator_ns=8000,
        process_start_us=250_000,
        cpu_uw=1_500_000,
    )
    row = one_job(population, **work)
    assert row["compute_end_us"] - row["start_us"] == expected_us
    assert row["cpu_uj"] == between(1_500_000, 0, expected_us)


@pytest.mark.parametrize(
    ("column", "value", "outcome"),
    [
        ("runtime", 201, Outcome.REFUSED_RUNTIME),
        ("ram_bytes", 2 * GIB + 1, Outcome.REFUSED_RAM),
        ("storage_bytes", GIB + 1, Outcome.REFUSED_STORAGE),
    ],
)
def test_a_phone_refuses_what_does_not_fit_and_takes_what_just_does(
    column: str, value: int, outcome: Outcome
) -> None:
    traits: dict[str, Any] = {
        "runtime": 200,
        "ram_bytes": 3 * GIB,
        "system_ram_bytes": GIB,
        "apps_ram_bytes": 0,
        "free_storage_bytes": GIB,
    }
    row = one_job(steady("lte", **traits), down_bytes=1000, **{column: value})
    assert row["outcome"] == outcome
    assert row["start_us"] == row["finish_us"] == 0
    assert (row["down_end_us"], row["energy_uj"], row["downloaded_bytes"]) == (-1, 0, 0)
    row = one_job(steady("lte", **traits), down_bytes=1000, **{column: value - 1})
    assert row["outcome"] == Outcome.DONE


def test_a_phone_below_its_floor_refuses_work() -> None:
    for level, outcome in ((999, Outcome.REFUSED_BATTERY), (1000, Outcome.DONE)):
        population = steady("lte", floor_uj=1000)
        population.state["battery_uj"] = level
        assert one_job(population)["outcome"] == outcome


def gap(start_s: int, end_s: int, mbps: float = 1.0) -> Population:
    """Return a phone whose link has one gap."""
    rate = round(mbps * 125_000)
    series = Series(np.array([0, start_s, end_s]) * SECOND_US, np.array([rate, 0, rate]), DAY_US)
    population = steady("lte", series=[series], offset_us=0)
    population.world.radios["promotion_us"] = 0
    return population


@pytest.mark.parametrize(
    ("deadline_s", "outcome", "moved"),
    [
        (10, Outcome.LOST_COVERAGE, 1_250_000),  # at the very beginning of the gap
        (15, Outcome.LOST_COVERAGE, 1_250_000),
        (20, Outcome.LATE, 1_250_000),  # the gap has just ended
        (25, Outcome.LATE, 1_875_000),
        (26, Outcome.DONE, 2_000_000),
    ],
)
def test_a_deadline_in_a_gap_is_lost_coverage_and_one_while_moving_is_late(
    deadline_s: int, outcome: Outcome, moved: int
) -> None:
    row = one_job(gap(10, 20), down_bytes=2_000_000, deadline_us=deadline_s * SECOND_US)
    assert row["outcome"] == outcome
    assert row["finish_us"] == deadline_s * SECOND_US
    assert row["downloaded_bytes"] == moved
    assert (row["down_end_us"] >= 0) == (outcome == Outcome.DONE)


def test_an_upload_that_is_cut_leaves_what_was_computed() -> None:
    """Those that computed but could not send keep their result."""
    population = gap(10, 20)
    population.traits["flops_per_s"] = 10**9
    row = one_job(population, flops=9 * 10**9, up_bytes=500_000, deadline_us=12 * SECOND_US)
    assert row["outcome"] == Outcome.LOST_COVERAGE
    assert row["compute_end_us"] == 9 * SECOND_US
    assert 0 < row["uploaded_bytes"] < 500_000


def test_computing_beyond_the_deadline_is_late() -> None:
    population = steady("lte", flops_per_s=10**9)
    row = one_job(population, flops=9 * 10**9, deadline_us=4 * SECOND_US)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LATE, 4 * SECOND_US)
    assert row["compute_end_us"] == -1
    assert row["cpu_uj"] == between(int(population.traits["cpu_uw"][0]), 0, 4 * SECOND_US)


def test_a_job_that_ends_at_its_deadline_is_done() -> None:
    population = steady("lte", flops_per_s=10**9)
    row = one_job(population, flops=4 * 10**9, deadline_us=4 * SECOND_US)
    assert (row["outcome"], row["finish_us"]) == (Outcome.DONE, 4 * SECOND_US)


@pytest.mark.parametrize("phase", ["waiting", "downloading", "computing", "uploading"])
def test_a_phone_that_leaves_takes_its_job_with_it(phase: str) -> None:
    leave_us = 5 * SECOND_US
    population = steady("lte", leave_us=leave_us, flops_per_s=10**9)
    work = {
        "waiting": {"needs": int(Need.UNMETERED)},
        "downloading": {"down_bytes": 10**7},
        "computing": {"flops": 10**11},
        "uploading": {"up_bytes": 10**7},
    }[phase]
    row = one_job(population, **work)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LOST_LEFT, leave_us)
    assert one_job(population, plan_us=HOUR_US)["outcome"] == Outcome.LOST_LEFT


def test_a_phone_that_has_not_joined_is_waited_for() -> None:
    population = steady("lte", join_us=5 * SECOND_US)
    assert one_job(population)["start_us"] == 5 * SECOND_US
    row = one_job(steady("lte", join_us=5 * SECOND_US), deadline_us=4 * SECOND_US)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LOST_COVERAGE, 4 * SECOND_US)


NEVER_PLUGGED = Series(np.array([0]), np.array([0]), DAY_US)


@pytest.mark.parametrize("phase", ["downloading", "computing", "uploading"])
def test_a_phone_that_dies_loses_its_job_at_that_time(phase: str) -> None:
    population = steady(
        "lte", series=[NEVER_PLUGGED], rate_series=-1, charge_series=0, flops_per_s=10**9
    )
    population.state["battery_uj"] = 10_000_000
    work = {
        "downloading": {"down_bytes": 10**8},
        "computing": {"flops": 10**12},
        "uploading": {"up_bytes": 10**8},
    }[phase]
    row = one_job(population, **work)
    state = population.state[0]
    assert row["outcome"] == Outcome.LOST_DEAD
    assert row["energy_uj"] == 10_000_000, "all that it had"
    assert row["battery_uj"] == 0
    assert state["dead"]
    assert state["busy_until_us"] == row["finish_us"] < DAY_US
    again = one_job(population, plan_us=int(row["finish_us"]), deadline_us=2 * DAY_US)
    assert (again["outcome"], again["finish_us"]) == (Outcome.LOST_DEAD, 2 * DAY_US)
    assert again["energy_uj"] == 0


def test_a_dead_phone_takes_up_its_next_job_when_it_is_charged() -> None:
    charge = Series(np.array([0, 2]) * HOUR_US, np.array([0, 1]), DAY_US)
    population = steady(
        "lte",
        series=[charge],
        rate_series=-1,
        charge_series=0,
        charge_uw=5_000_000,
        boot_uj=100_000_000,
    )
    population.state["battery_uj"], population.state["dead"] = 0, True
    row = one_job(population)
    assert row["outcome"] == Outcome.DONE
    assert row["start_us"] == 2 * HOUR_US + 20 * SECOND_US


def first(population: Population, wanted: int, t_us: int = 0) -> tuple[int, int]:
    """Return when phone 0 is *wanted* (IDLE, IN_USE) for the first time, and until when."""
    while True:
        presence, until_us = presence_at(population.world, 0, t_us)
        if presence == wanted:
            return t_us, until_us
        t_us = until_us


def test_an_app_that_is_used_pushes_a_large_job_out_of_memory() -> None:
    memory: dict[str, Any] = {"ram_bytes": 4 * GIB, "system_ram_bytes": GIB, "apps_ram_bytes": GIB}
    population = steady("lte", flops_per_s=10**9, **memory)
    use_us, _ = first(population, IN_USE, DAY_US)
    plan_us = use_us - 2 * SECOND_US
    assert presence_at(population.world, 0, plan_us)[0] == IDLE
    row = one_job(population, plan_us=plan_us, flops=9 * 10**9, ram_bytes=2 * GIB + 1)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LOST_KILLED, use_us)
    population = steady("lte", flops_per_s=10**9, **memory)
    row = one_job(population, plan_us=plan_us, flops=9 * 10**9, ram_bytes=2 * GIB)
    assert row["outcome"] == Outcome.DONE


def test_a_job_for_idle_phones_waits_for_the_end_of_use_and_ends_with_its_beginning() -> None:
    population = steady("lte", flops_per_s=10**9)
    use_us, end_us = first(population, IN_USE, DAY_US)
    row = one_job(population, plan_us=use_us, needs=Need.IDLE)
    assert (row["outcome"], row["start_us"]) == (Outcome.DONE, end_us)
    row = one_job(
        steady("lte"), plan_us=use_us, needs=Need.IDLE, deadline_us=(use_us + end_us) // 2
    )
    assert row["outcome"] == Outcome.REFUSED_POLICY
    later_us, _ = first(population, IN_USE, end_us)
    row = one_job(population, plan_us=later_us - SECOND_US, needs=Need.IDLE, flops=2 * 10**9)
    assert (row["outcome"], row["finish_us"]) == (Outcome.INTERRUPTED_IN_USE, later_us)


def test_a_job_for_charging_phones_waits_for_the_charger_and_ends_without_it() -> None:
    charge = Series(np.array([0, 2, 3]) * HOUR_US, np.array([0, 1, 0]), DAY_US)
    traits: dict[str, Any] = {"rate_series": -1, "charge_series": 0, "flops_per_s": 10**9}
    population = steady("lte", series=[charge], **traits)
    assert charger_at(population.world, 0, 0)[0] == 0
    row = one_job(population, needs=Need.CHARGING)
    assert (row["outcome"], row["start_us"]) == (Outcome.DONE, 2 * HOUR_US)
    row = one_job(population, plan_us=3 * HOUR_US - SECOND_US, needs=Need.CHARGING, flops=2 * 10**9)
    assert (row["outcome"], row["finish_us"]) == (Outcome.INTERRUPTED_UNPLUGGED, 3 * HOUR_US)
    row = one_job(population, plan_us=4 * HOUR_US, needs=Need.CHARGING, deadline_us=5 * HOUR_US)
    assert (row["outcome"], row["finish_us"]) == (Outcome.REFUSED_POLICY, 5 * HOUR_US)


def test_a_job_for_unmetered_links_waits_for_home_and_stops_outside() -> None:
    population = steady("lte", wifi=1, mbps=8)
    _, leave_us = home_at(population.world, 0, 0)
    _, home_us = home_at(population.world, 0, leave_us)
    soon = {"plan_us": leave_us - SECOND_US, "needs": Need.UNMETERED, "down_bytes": 2_000_000}
    row = one_job(population, **soon)
    assert (row["outcome"], row["finish_us"]) == (Outcome.INTERRUPTED_WIFI, leave_us)
    assert 0 < row["downloaded_bytes"] < 2_000_000
    row = one_job(steady("lte", wifi=1, mbps=8), **soon, kind=Kind.DELIVER)
    assert row["outcome"] == Outcome.DONE, "a delivery waits and goes on"
    assert home_us < row["finish_us"] < home_us + 2 * SECOND_US
    assert row["promotion_uj"] < 25_000, "WiFi's promotions alone"
    row = one_job(steady("lte"), needs=Need.UNMETERED, deadline_us=HOUR_US)
    assert (row["outcome"], row["finish_us"]) == (Outcome.REFUSED_POLICY, HOUR_US)


def test_a_download_ends_when_the_plug_is_pulled_or_somebody_takes_the_phone_up() -> None:
    charge = Series(np.array([0, 2, 3]) * HOUR_US, np.array([0, 1, 0]), DAY_US)
    population = steady("lte", series=[charge], rate_series=-1, charge_series=0)
    plan_us = 3 * HOUR_US - SECOND_US
    row = one_job(population, plan_us=plan_us, needs=Need.CHARGING, down_bytes=10**6)
    assert (row["outcome"], row["finish_us"]) == (Outcome.INTERRUPTED_UNPLUGGED, 3 * HOUR_US)
    assert population.state["cell_end_us"][0] == 3 * HOUR_US, "the tail begins"
    population = steady("lte")
    use_us, _ = first(population, IN_USE, DAY_US)
    row = one_job(population, plan_us=use_us - SECOND_US, needs=Need.IDLE, up_bytes=10**6)
    assert (row["outcome"], row["finish_us"]) == (Outcome.INTERRUPTED_IN_USE, use_us)


def test_a_process_starts_once_and_is_kept_for_half_an_hour() -> None:
    population = steady("lte", process_start_us=200_000, flops_per_s=10**9)

    def computed_us(plan_us: int) -> int:
        row = one_job(population, plan_us=plan_us, load_bytes=0, flops=10**9)
        return int(row["compute_end_us"] - row["down_end_us"])

    times = [computed_us(minutes * MINUTE_US) for minutes in (0, 20, 40, 75)]
    assert times == [1_500_000, 1_000_000, 1_000_000, 1_500_000]


def test_a_phone_that_is_off_at_night_is_out_of_reach_until_it_is_on() -> None:
    night: dict[str, Any] = {"off_at_night": True, "bed_us": 23 * HOUR_US, "sleep_us": 8 * HOUR_US}
    assert asleep_at(steady("lte", **night).world, 0, 0) == (True, 7 * HOUR_US)
    row = one_job(steady("lte", **night))
    assert (row["outcome"], row["start_us"]) == (Outcome.DONE, 7 * HOUR_US)
    row = one_job(steady("lte", **night), deadline_us=6 * HOUR_US)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LOST_COVERAGE, 6 * HOUR_US)
    population = steady("lte", **night, flops_per_s=10**9)
    row = one_job(population, plan_us=23 * HOUR_US - SECOND_US, flops=2 * 10**9)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LOST_KILLED, 23 * HOUR_US)


@pytest.mark.parametrize("at", ["promotion", "handshake"])
def test_a_deadline_before_the_first_byte_is_late(at: str) -> None:
    population = steady("lte")
    population.world.radios["rtt_us"] = 500_000
    deadline_us = 100_000 if at == "promotion" else 900_000
    row = one_job(population, down_bytes=1000, deadline_us=deadline_us)
    assert (row["outcome"], row["finish_us"]) == (Outcome.LATE, deadline_us)
    assert row["downloaded_bytes"] == 0
    assert (row["radio_uj"] == 0) == (at == "promotion")


def test_own_life_goes_on_while_a_job_runs() -> None:
    population = steady("lte", flops_per_s=10**9, idle_uw=100_000, use_uw=100_000)
    row = one_job(population, flops=7 * 10**9)
    assert row["own_uj"] == 700_000
    before = one_job(population, plan_us=MINUTE_US)
    assert before["own_uj"] == 0, "what it spent between two jobs belongs to neither"
    assert population.state["own_uj"][0] == 6_000_000


def test_a_job_without_a_deadline_on_an_ideal_phone_always_ends() -> None:
    row = one_job(steady("wifi"), down_bytes=10**10, up_bytes=10**10, deadline_us=NEVER_US)
    assert row["outcome"] == Outcome.DONE
