"""Every model at once: exact and cohort play agree, and nothing is lost or counted twice."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet
from droidloop.devices.phone.battery import settle
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.population.population import Population
from droidloop.network.map import OPTUS
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import ENERGY_PARTS, Jobs, Kind, Need, Outcome
from droidloop.platform.ledger import Ledger
from droidloop.platform.units import DAY_US, HOUR_US, MINUTE_US, NEVER_US, SECOND_US
from tests.contracts.fleet import play, total
from tests.contracts.worlds import mixed, random_jobs, rate_series, steady

PHONES = 1000


def everything(phones: int, *, seed: int = 1) -> Population:
    """Return phones with losses, slow starts, a map, heat, recorded links (both ways) and chargers.

    Every other phone follows the recordings, the others rates and habits.
    """
    draws = Draws(seed, "uplinks")
    population = mixed(
        phones,
        seed=seed,
        recorded=True,
        up_series=[rate_series(draws, 120 + 60 * k, k) for k in range(5)],
        radio_year="2012",
        loss=True,
        slow_start=True,
        throttling=True,
        map=OPTUS,
    )
    for column in ("rate_series", "up_series", "charge_series"):
        population.traits[column][::2] = -1
    return population


def written(folder: Path) -> dict[str, bytes]:
    """Return the content of all files of *folder*."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_exact_and_cohort_play_of_a_day_give_identical_ledgers(tmp_path: Path) -> None:
    seen, states = [], []
    for fleet in (CohortFleet, ExactFleet):
        population, engine = everything(PHONES), Engine()
        draws = Draws(9, "day")
        batches = [
            random_jobs(population, draws, k, plan_us=k * HOUR_US, first=PHONES * k, count=PHONES)
            for k in range(24)
        ]
        played = play(engine, fleet(engine, population), population, batches)
        settle(population.world, DAY_US)
        ledger = Ledger(tmp_path / fleet.__name__)
        ledger.write("jobs", played.rows)
        ledger.close()
        seen.append(written(tmp_path / fleet.__name__))
        states.append(population.state.tobytes())
    assert seen[0]
    assert seen[0] == seen[1]
    assert states[0] == states[1]
    outcomes = {Outcome(int(code)) for code in played.rows["outcome"]}
    assert {Outcome.DONE, Outcome.LOST_COVERAGE, Outcome.LOST_DEAD} <= outcomes
    assert (population.state["heat_us"] > 0).mean() > 0.3, "heat is part of it"


FEW = everything(12, seed=3)

schedules = st.lists(
    st.tuples(
        st.integers(0, 11),  # phone
        st.integers(0, 30 * MINUTE_US),  # since the job before
        st.integers(0, 5_000_000),  # bytes down
        st.integers(0, 2_000_000),  # bytes up
        st.integers(0, 3 * 10**11),  # operations
        st.integers(1, 3 * HOUR_US),  # until the deadline
        st.integers(0, 7),  # needs
    ),
    min_size=1,
    max_size=40,
)


def scheduled(schedule: list[tuple[int, ...]]) -> list[Jobs]:
    """Return one batch a job of *schedule*."""
    batches, t_us = [], 0
    for number, (phone, wait_us, down, up, flops, limit_us, needs) in enumerate(schedule):
        t_us += wait_us
        batches.append(
            Jobs.plan(
                np.array([phone]),
                kind=Kind.TRAIN,
                plan_us=t_us,
                first=number,
                needs=int(Need(needs)),
                down_bytes=down,
                up_bytes=up,
                flops=flops,
                load_bytes=-1,
                deadline_us=t_us + limit_us,
            )
        )
    return batches


@given(schedules)
@settings(max_examples=60)
def test_conservation_holds_for_any_schedule(schedule: list[tuple[int, ...]]) -> None:
    world = FEW.world._replace(state=FEW.state.copy())
    before = world.state.copy()
    played = []
    for jobs in scheduled(schedule):
        row = jobs.rows[0]
        was = world.state[row["phone"]].copy()
        play_cohort(world, jobs.rows)
        now = world.state[row["phone"]]
        # no time travel, and the battery stays within its bounds
        assert row["plan_us"] <= row["start_us"] <= row["finish_us"] <= row["deadline_us"]
        assert was["t_us"] <= now["t_us"]
        assert 0 <= now["battery_uj"] <= world.traits["capacity_uj"][row["phone"]]
        played.append(jobs.rows)
    rows: Any = np.concatenate(played)
    settle(world, 2 * DAY_US)
    state = world.state
    spent = sum(state[name] - before[name] for name in ENERGY_PARTS)
    accepted = state["accepted_uj"] - before["accepted_uj"]
    assert np.array_equal(before["battery_uj"] - spent + accepted, state["battery_uj"])
    assert np.array_equal(sum(rows[name] for name in ENERGY_PARTS), rows["energy_uj"])
    for name in ("promotion_uj", "radio_uj", "cpu_uj", "downloaded_bytes", "uploaded_bytes"):
        assert np.array_equal(state[name], total(rows, name, len(state))), name
    for moved, planned in (("downloaded_bytes", "down_bytes"), ("uploaded_bytes", "up_bytes")):
        assert (rows[moved] <= rows[planned]).all()
        done = rows["outcome"] == Outcome.DONE
        assert np.array_equal(rows[moved][done], rows[planned][done])
    # tails: booked once, to the next job, and never more than those that there were
    assert np.array_equal(state["booked_tail_uj"], total(rows, "tail_uj", len(state)))
    assert (state["booked_tail_uj"] <= state["tail_uj"]).all()


@given(schedules)
@settings(max_examples=30)
def test_tails_last_from_each_use_to_the_next_and_are_counted_once(
    schedule: list[tuple[int, ...]],
) -> None:
    """With 1 W in tails of 10 s, tail energy in microjoules is their time in microseconds."""
    population = steady("wifi", mbps=8)
    world = population.world
    world.radios["tail_us"], world.radios["tail_uw"] = 10 * SECOND_US, 1_000_000
    world.radios["tail2_us"] = 0
    uses = []
    for jobs in scheduled(schedule):
        row = jobs.rows[0]
        row["phone"], row["deadline_us"] = 0, NEVER_US
        play_cohort(world, jobs.rows)
        assert row["outcome"] == Outcome.DONE
        if row["down_bytes"]:
            uses.append((int(row["start_us"]), int(row["down_end_us"])))
        if row["up_bytes"]:
            uses.append((int(row["compute_end_us"]), int(row["finish_us"])))
    settle(world, 2 * DAY_US)
    starts = [*(start_us for start_us, _ in uses), NEVER_US][1:]
    expected = sum(
        min(10 * SECOND_US, next_us - end_us)
        for (_, end_us), next_us in zip(uses, starts, strict=True)
    )
    assert world.state["tail_uj"][0] == expected


@pytest.mark.parametrize("feature", ["loss", "slow_start", "throttling", "map"])
def test_each_model_changes_something(feature: str) -> None:
    """Where a model does nothing, the tests above say nothing about it."""
    rows = []
    for on in (False, True):
        options: dict[str, Any] = {feature: OPTUS if feature == "map" else True} if on else {}
        population = mixed(200, **options)
        jobs = random_jobs(population, Draws(9, "one"), 0, plan_us=10 * HOUR_US, first=0, count=200)
        jobs.rows["flops"] *= 10
        play_cohort(population.world, jobs.rows)
        rows.append(jobs.rows)
    assert (rows[0]["finish_us"] != rows[1]["finish_us"]).sum() >= 5
