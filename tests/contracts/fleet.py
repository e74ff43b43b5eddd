"""The contract of every fleet: simulated, exact, replayed or real.

Subclass ``FleetContract``, say how the fleet is made, and inherit its tests. A fleet of real
devices overrides ``people`` and ``plan`` with what its devices can do in a test.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simpy

from droidloop.devices.fleets.fleet import Fleet
from droidloop.devices.phone.battery import settle
from droidloop.devices.population.population import Population
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine, Process
from droidloop.platform.jobs import ENERGY_PARTS, JOB_DTYPE, JobArray, Jobs, Outcome
from droidloop.platform.units import HOUR_US

from .worlds import mixed, random_jobs

_NAMES = JOB_DTYPE.names or ()
PLAN = _NAMES[: _NAMES.index("outcome")]


@dataclass
class Played:
    """Batches of jobs that a fleet has played, and when the event of each happened."""

    plans: list[JobArray]
    batches: list[Jobs]
    ended_us: list[int]
    population: Population
    battery_before_uj: Any

    @property
    def rows(self) -> JobArray:
        """All jobs, in the order of planning."""
        return np.concatenate([jobs.rows for jobs in self.batches])


def play(engine: Engine, fleet: Fleet, population: Population, batches: list[Jobs]) -> Played:
    """Hand each batch to *fleet* when its time has come, and run until all have ended."""
    played = Played(
        [jobs.rows.copy() for jobs in batches],
        batches,
        [-1] * len(batches),
        population,
        population.state["battery_uj"].copy(),
    )

    def one(number: int, jobs: Jobs) -> Process:
        yield engine.until(int(jobs["plan_us"][0]))
        answer = yield fleet.run(jobs)
        assert answer is jobs
        played.ended_us[number] = engine.now_us

    everything: list[simpy.Event] = [
        engine.process(one(number, jobs)) for number, jobs in enumerate(batches)
    ]
    engine.run(engine.all_of(everything))
    return played


class FleetContract:
    """What holds for the jobs of every fleet, whatever plays them."""

    def make(self, engine: Engine, population: Population, folder: Path) -> Fleet:
        """Return the fleet; *folder* is empty and its own."""
        raise NotImplementedError

    def people(self) -> Population:
        """Return the phones."""
        return mixed(40)

    def plan(self, population: Population) -> list[Jobs]:
        """Return batches of jobs, some overlapping, each batch planned for one time."""
        draws, size = Draws(2, "contract"), 2 * len(population)
        return [
            random_jobs(population, draws, k, plan_us=k * HOUR_US // 2, first=k * size, count=size)
            for k in range(30)
        ]

    @pytest.fixture(scope="class")
    @classmethod
    def played(cls, tmp_path_factory: pytest.TempPathFactory) -> Played:
        """All batches, played once for the whole class."""
        contract, engine = cls(), Engine()
        population = contract.people()
        fleet = contract.make(engine, population, tmp_path_factory.mktemp("fleet"))
        return play(engine, fleet, population, contract.plan(population))

    def test_every_job_has_one_outcome(self, played: Played) -> None:
        outcomes = {Outcome(int(code)) for code in played.rows["outcome"]}
        assert Outcome.PLANNED not in outcomes

    def test_the_plan_is_left_as_it_was(self, played: Played) -> None:
        before = np.concatenate(played.plans)
        for name in PLAN:
            assert np.array_equal(played.rows[name], before[name]), name

    def test_the_event_happens_at_the_last_finish(self, played: Played) -> None:
        last = [int(jobs["finish_us"].max()) for jobs in played.batches]
        assert played.ended_us == last

    def test_the_parts_of_each_job_sum_to_its_energy(self, played: Played) -> None:
        rows = played.rows
        parts = sum(rows[name] for name in ENERGY_PARTS)
        assert np.array_equal(parts, rows["energy_uj"])
        for name in (*ENERGY_PARTS, "accepted_uj"):
            assert rows[name].min() >= 0, name

    def test_no_job_starts_before_it_was_planned(self, played: Played) -> None:
        rows = played.rows
        assert (rows["start_us"] >= rows["plan_us"]).all()

    def test_phases_come_one_after_the_other(self, played: Played) -> None:
        rows = played.rows
        names = ("start_us", "down_end_us", "compute_end_us", "finish_us")
        times = np.stack([rows[name] for name in names], axis=1)
        for row in times:
            reached = row[row >= 0]
            assert (np.diff(reached) >= 0).all(), row
        # a phase is reached only through those before it
        assert ((times[:, 1] >= 0) | (times[:, 2] < 0)).all()
        done = rows["outcome"] == Outcome.DONE
        assert (times[done] >= 0).all()
        refused = np.array([Outcome(int(code)).refused for code in rows["outcome"]])
        assert (times[refused, 1] < 0).all()
        assert np.array_equal(times[refused, 0], times[refused, 3])

    def test_bytes_moved_are_at_most_those_planned_and_all_of_them_when_done(
        self, played: Played
    ) -> None:
        rows = played.rows
        done = rows["outcome"] == Outcome.DONE
        for moved, planned, phase in (
            ("downloaded_bytes", "down_bytes", "down_end_us"),
            ("uploaded_bytes", "up_bytes", None),
        ):
            assert rows[moved].min() >= 0
            assert (rows[moved] <= rows[planned]).all()
            assert np.array_equal(rows[moved][done], rows[planned][done])
            if phase:
                reached = rows[phase] >= 0
                assert np.array_equal(rows[moved][reached], rows[planned][reached])

    def test_a_phone_does_one_job_at_a_time(self, played: Played) -> None:
        """A job that was given up while its phone was busy took no time and no energy."""
        worked = played.rows[played.rows["finish_us"] > played.rows["start_us"]]
        for _, mine in by_phone(worked):
            mine = np.sort(mine, order="start_us")
            assert (mine["start_us"][1:] >= mine["finish_us"][:-1]).all()

    def test_no_job_lasts_beyond_its_deadline(self, played: Played) -> None:
        assert (played.rows["finish_us"] <= played.rows["deadline_us"]).all()


class SimulatedFleetContract(FleetContract):
    """What holds in addition where the phones are rows of a population."""

    rare: frozenset[Outcome] = frozenset()
    """Outcomes that these phones need not have."""

    def test_work_shows_in_the_accounts_of_the_phones(self, played: Played) -> None:
        """Promotion, radio and computation happen in jobs alone; what jobs moved, phones moved."""
        rows, state = played.rows, played.population.state
        names = ("promotion_uj", "radio_uj", "cpu_uj", "downloaded_bytes", "uploaded_bytes")
        for name in names:
            assert np.array_equal(state[name], total(rows, name, len(state))), name
        assert np.array_equal(state["booked_tail_uj"], total(rows, "tail_uj", len(state)))
        for name in ("own_uj", "accepted_uj", "tail_uj"):
            assert (state[name] >= total(rows, name, len(state))).all(), name

    def test_battery_before_less_spent_plus_accepted_is_battery_after(self, played: Played) -> None:
        state, traits = played.population.state, played.population.traits
        for end_us in (0, 40 * HOUR_US, 70 * HOUR_US):
            settle(played.population.world, end_us)
            spent = sum(state[name] for name in ENERGY_PARTS)
            after = played.battery_before_uj - spent + state["accepted_uj"]
            assert np.array_equal(after, state["battery_uj"])
            assert (state["battery_uj"] >= 0).all()
            assert (state["battery_uj"] <= traits["capacity_uj"]).all()

    def test_the_batches_hold_every_outcome_that_a_simulated_phone_can_have(
        self, played: Played
    ) -> None:
        """A contract that never sees a dead or departed phone says nothing about them."""
        seen = {Outcome(int(code)) for code in played.rows["outcome"]}
        others = {Outcome.PLANNED, Outcome.CUT_OFF}  # a protocol's word
        assert seen | self.rare == {o for o in Outcome if not o.failed} - others


def by_phone(rows: JobArray) -> list[tuple[int, JobArray]]:
    """Return the jobs of each phone."""
    return [(int(phone), rows[rows["phone"] == phone]) for phone in np.unique(rows["phone"])]


def total(rows: JobArray, name: str, phones: int) -> Any:
    """Return the sum of a column for each phone."""
    sums = np.zeros(phones, np.int64)
    np.add.at(sums, rows["phone"], rows[name])
    return sums
