"""Cohort, exact and replay play: one contract, and the same rows to the bit."""

from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.fleets.fleet import CohortFleet, ExactFleet, Fleet
from droidloop.devices.fleets.replay import ReplayFleet
from droidloop.devices.phone.battery import settle
from droidloop.devices.phone.play import play_cohort
from droidloop.devices.population.population import Population
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.errors import LedgerError
from droidloop.platform.jobs import Jobs, Kind, Need, Outcome
from droidloop.platform.ledger import Ledger
from droidloop.platform.units import HOUR_US, MINUTE_US, SECOND_US
from droidloop.scenarios.runtime.selection import eligible_at, select
from tests.contracts.fleet import Played, SimulatedFleetContract, play
from tests.contracts.worlds import mixed, random_jobs, steady


def record(folder: Path, population: Population, batches: list[Jobs]) -> Played:
    """Play *batches* as cohorts and write the ledger of the run to *folder*."""
    engine = Engine()
    played = play(engine, CohortFleet(engine, population), population, batches)
    ledger = Ledger(folder)
    for jobs in batches:
        ledger.write("jobs", jobs.rows)
    ledger.close()
    return played


class TestCohortFleet(SimulatedFleetContract):
    def make(self, engine: Engine, population: Population, folder: Path) -> Fleet:
        return CohortFleet(engine, population)


class TestExactFleet(SimulatedFleetContract):
    def make(self, engine: Engine, population: Population, folder: Path) -> Fleet:
        return ExactFleet(engine, population)


class TestReplayFleet(SimulatedFleetContract):
    def make(self, engine: Engine, population: Population, folder: Path) -> Fleet:
        people = self.people()
        record(folder, people, self.plan(people))
        return ReplayFleet(engine, population, folder)


WORLDS = {
    "500 phones": {"phones": 500},
    "500 phones, recorded rates and charging": {"phones": 500, "recorded": True},
    "500 ideal phones": {"phones": 500, "ideal": True},
    "2000 phones": {"phones": 2000, "seed": 4},
}


def day(population: Population, seed: int) -> list[Jobs]:
    """Return a batch every twenty minutes of a day, for half of the phones on average."""
    size = len(population) // 2
    return [
        random_jobs(
            population,
            Draws(seed, "day"),
            k,
            plan_us=k * 20 * MINUTE_US,
            first=k * size,
            count=size,
        )
        for k in range(72)
    ]


@pytest.mark.parametrize("name", list(WORLDS))
def test_cohort_exact_and_replay_give_the_same_rows_events_and_phones(
    name: str, tmp_path: Path
) -> None:
    """24 hours and more, jobs of all sorts, byte for byte; then three days of rest."""

    def world() -> tuple[Engine, Population]:
        return Engine(), mixed(**WORLDS[name])  # type: ignore[arg-type]

    _, population = world()
    cohort = record(tmp_path, population, day(population, 9))
    runs = [cohort]
    engine, population = world()
    runs.append(play(engine, ExactFleet(engine, population), population, day(population, 9)))
    engine, population = world()
    replay = ReplayFleet(engine, population, tmp_path)
    runs.append(play(engine, replay, population, day(population, 9)))
    for other in runs[1:]:
        assert_equal_rows(cohort, other)
        assert other.ended_us == cohort.ended_us
        assert other.population.state.tobytes() == cohort.population.state.tobytes()
    for played in runs:
        settle(played.population.world, 120 * HOUR_US)
        assert played.population.state.tobytes() == cohort.population.state.tobytes()


def assert_equal_rows(one: Played, other: Played) -> None:
    for name in one.rows.dtype.names or ():
        differ = np.flatnonzero(one.rows[name] != other.rows[name])
        assert len(differ) == 0, f"{name}: {one.rows[differ[0]]} and {other.rows[differ[0]]}"


@pytest.mark.parametrize("threads", [2, 5])
def test_the_number_of_threads_changes_nothing(threads: int) -> None:
    """Play, selection and settling of 3,000 phones, hour by hour."""
    ends = []
    for count in (1, threads):
        population, rows = mixed(3000, recorded=True), []
        for k in range(8):
            chosen = select(
                population.world,
                k * HOUR_US,
                Draws(3, "threads"),
                k,
                clients=2000,
                needs=Need(0),
                ram_bytes=0,
                min_battery=0.1,
                threads=count,
            )
            jobs = random_jobs(
                population, Draws(3, "jobs"), k, plan_us=k * HOUR_US, first=0, count=len(chosen)
            )
            jobs.rows["phone"] = chosen
            play_cohort(population.world, jobs.rows, count)
            rows.append(jobs.rows)
        settle(population.world, 30 * HOUR_US, count)
        ends.append((np.concatenate(rows).tobytes(), population.state.tobytes()))
    assert ends[0] == ends[1]
    assert len(ends[0][0]) > 5000 * rows[0].itemsize


@pytest.mark.parametrize("fleet", [CohortFleet, ExactFleet])
def test_a_phone_with_two_jobs_does_them_in_the_order_of_planning(fleet: type[CohortFleet]) -> None:
    population, engine = steady("wifi", phones=2, mbps=8), Engine()
    batches = [
        Jobs.plan(
            np.array(phones), kind=Kind.TRAIN, plan_us=t_us, first=first, down_bytes=1_000_000
        )
        for phones, t_us, first in (([0, 0, 1], 0, 0), ([1, 0], SECOND_US // 2, 3))
    ]
    rows = play(engine, fleet(engine, population), population, batches).rows
    on_0 = rows[rows["phone"] == 0]
    assert on_0["job"].tolist() == [0, 1, 4]
    assert on_0["start_us"][0] == 0
    assert on_0["start_us"][1:].tolist() == on_0["finish_us"][:-1].tolist()
    on_1 = rows[rows["phone"] == 1]
    assert on_1["start_us"][1] == on_1["finish_us"][0] > SECOND_US // 2


@pytest.mark.parametrize("fleet", [CohortFleet, ExactFleet])
def test_no_jobs_end_at_once(fleet: type[CohortFleet]) -> None:
    population, engine = steady("wifi"), Engine()
    jobs = Jobs.plan(np.empty(0, np.int64), kind=Kind.TRAIN, plan_us=0, first=0)
    event = fleet(engine, population).run(jobs)
    engine.run(event)
    assert (engine.now_us, event.value) == (0, jobs)


def test_replay_refuses_jobs_that_were_not_recorded(tmp_path: Path) -> None:
    def jobs(first: int, size: int) -> Jobs:
        return Jobs.plan(np.arange(3), kind=Kind.TRAIN, plan_us=0, first=first, down_bytes=size)

    record(tmp_path, steady("wifi", phones=3), [jobs(0, 100)])
    for other in (jobs(1, 100), jobs(0, 101), jobs(7, 100)):
        engine = Engine()
        fleet = ReplayFleet(engine, steady("wifi", phones=3), tmp_path)
        with pytest.raises(LedgerError, match=r"job \d was not recorded as it is planned now"):
            fleet.run(other)
    engine = Engine()
    empty = ReplayFleet(engine, steady("wifi", phones=3), tmp_path / "nothing")
    with pytest.raises(LedgerError, match="job 0 was not recorded"):
        empty.run(jobs(0, 100))


@pytest.mark.parametrize("fleet", [CohortFleet, ExactFleet])
def test_a_job_whose_phone_stays_busy_ends_at_its_deadline(fleet: type[CohortFleet]) -> None:
    """Its round must not wait for it; the phone never hears of it, and does what comes after it."""
    population, engine = steady("wifi", mbps=8), Engine()
    batches = [
        Jobs.plan(
            np.array([0]),
            kind=Kind.TRAIN,
            plan_us=first * SECOND_US,
            first=first,
            down_bytes=size,
            deadline_us=deadline_s * SECOND_US,
        )
        for first, (size, deadline_s) in enumerate([(60_000_000, 99), (1000, 10), (1000, 98)])
    ]
    played = play(engine, fleet(engine, population), population, batches)
    assert played.rows["outcome"].tolist() == [Outcome.DONE, Outcome.LATE, Outcome.DONE]
    long, short, last = played.rows
    assert short["start_us"] == short["finish_us"] == 10 * SECOND_US
    assert short["energy_uj"] == 0
    assert last["start_us"] == long["finish_us"] > 60 * SECOND_US
    assert played.ended_us == [long["finish_us"], 10 * SECOND_US, last["finish_us"]]


@pytest.mark.parametrize("work", ["none", "a second of computing", "a second of downloading"])
def test_phones_are_free_at_the_very_microsecond_at_which_their_jobs_end(work: str) -> None:
    """A selection at that time sees the same phones, however they are played."""
    eligible: dict[type, list[int]] = {}
    for fleet in (CohortFleet, ExactFleet):
        engine, population = Engine(), steady("wifi", phones=50, mbps=8, flops_per_s=10**9)
        promotion_us = int(population.world.radios["promotion_us"][1])
        jobs = Jobs.plan(
            np.arange(50),
            kind=Kind.INFER,
            plan_us=0,
            first=0,
            load_bytes=-1,
            flops=10**9 if "comp" in work else 0,
            down_bytes=1_000_000 - promotion_us if "down" in work else 0,
        )

        def select(engine: Engine, population: Population, into: list[int]) -> Process:
            yield engine.until(0 if work == "none" else SECOND_US)
            world = population.world
            into.extend(
                phone for phone in range(50) if eligible_at(world, phone, engine.now_us, 0, 0, 0.0)
            )

        def batch(player: Fleet, jobs: Jobs) -> Process:
            yield player.run(jobs)

        engine.process(batch(fleet(engine, population), jobs))
        engine.process(select(engine, population, eligible.setdefault(fleet, [])))
        engine.run(2 * SECOND_US)
        assert set(jobs["finish_us"].tolist()) == {0 if work == "none" else SECOND_US}
    assert eligible[CohortFleet] == eligible[ExactFleet] == list(range(50))
