"""The fleet of real devices keeps the contract of all fleets; a made-up device stands in here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.android.errors import OfflineError
from droidloop.devices.android.fleet.fleet import BACK_S, STILL_GONE_S, AndroidFleet, Attachment
from droidloop.devices.fleets.device_outputs import Evidence
from droidloop.devices.fleets.fleet import EndsKnown, Fleet
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.devices.fleets.work import Work, WrongOutputError
from droidloop.devices.phone.battery import settle
from droidloop.devices.population.population import Population
from droidloop.platform.draws import Draws
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import ENERGY_PARTS, Jobs, Kind, Outcome
from droidloop.platform.units import HOUR_US, SECOND_US
from tests.contracts.fleet import FleetContract, Played, play
from tests.contracts.worlds import mixed, steady

OUTCOMES = (
    *(Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE, Outcome.FAILED_TIMEOUT, Outcome.FAILED_STORAGE),
    *(Outcome.FAILED_MEMORY, Outcome.FAILED_RUNNER, Outcome.REFUSED_RUNTIME),
)
Row = dict[str, Any]
WRONG = 999
"""An output that the work does not believe."""


class Device:
    """Takes the times that a job's inputs say, and fails where they say so."""

    def run(self, job: ModelJob) -> Result:
        plan = {name: int(values) for name, values in job.inputs.items()}
        if plan["fails"] >= 0:
            return Failed(OUTCOMES[plan["fails"]], "it fails as it was told")
        return Ran(
            outputs={"answer": np.array([plan["answer"]])},
            load_us=10,
            invoke_us=np.array([plan["wall_us"] - 10]),
            wall_us=plan["wall_us"],
            cpu_us=plan["wall_us"] // 2,
            peak_rss_bytes=1 << 20,
            sent_bytes=plan["down_bytes"],
            sent_us=plan["sent_us"],
            received_bytes=plan["up_bytes"],
            received_us=plan["received_us"],
        )

    def clean(self) -> None:
        pass


@dataclass
class Told:
    """Work whose times are drawn by the number of the job."""

    jobs: Jobs
    fails: int = 4
    accepted: list[int] = field(default_factory=list)

    def order(self, k: int) -> ModelJob:
        row, draws = self.jobs.rows[k], Draws(4, "told")
        job = np.array([int(row["job"])])

        def below(purpose: str, high: int) -> int:
            return int(draws.child(purpose).integers(job, 0, high)[0])

        number = below("fails", self.fails * len(OUTCOMES))
        plan = {
            "fails": number if number < len(OUTCOMES) else -1,
            "answer": WRONG if below("wrong", 9) == 0 else 1,
            "wall_us": 10 + below("wall", 20 * SECOND_US),
            "sent_us": 1 + below("sent", 20 * SECOND_US),
            "received_us": below("received", 10 * SECOND_US),
            "down_bytes": int(row["down_bytes"]),
            "up_bytes": int(row["up_bytes"]),
        }
        return ModelJob(Path("none"), {n: np.array(v) for n, v in plan.items()}, ["answer"])

    def accept(self, k: int, outputs: Mapping[str, Any]) -> None:
        if outputs["answer"][0] == WRONG:
            raise WrongOutputError("nobody believes this")
        self.accepted.append(int(self.jobs["job"][k]))


class Working(EndsKnown):
    """A fleet that is given the work that is told."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet

    def run(self, jobs: Jobs, work: Work | None = None) -> Any:
        return self._fleet.run(jobs, Told(jobs))


def android(
    engine: Engine, population: Population, folder: Path, measures: list[Row] | None = None
) -> AndroidFleet:
    rows: list[Row] = [] if measures is None else measures
    devices = [Attachment(f"d{k}", k, Device()) for k in range(len(population))]
    return AndroidFleet(engine, population, devices, Evidence(folder, rows.append))


class TestAndroidFleet(FleetContract):
    def make(self, engine: Engine, population: Population, folder: Path) -> Fleet:
        return Working(android(engine, population, folder))

    def people(self) -> Population:
        return mixed(12)

    def plan(self, population: Population) -> list[Jobs]:
        draws, size = Draws(5, "android"), len(population)
        batches = []
        for k in range(60):
            plan_us = k * 40 * SECOND_US if k < 40 else k * HOUR_US
            numbers = np.arange(size)
            jobs = Jobs.plan(
                draws.child("phone").integers(numbers, k, size),
                kind=Kind.TRAIN,
                plan_us=plan_us,
                first=k * size,
                deadline_us=plan_us + 1 + draws.child("d").integers(numbers, k, 90 * SECOND_US),
                down_bytes=draws.child("down").integers(numbers, k, 100_000),
                up_bytes=1 + draws.child("up").integers(numbers, k, 100_000),
            )
            batches.append(jobs)
        return batches

    def test_the_batches_hold_every_outcome_that_a_device_can_have(self, played: Played) -> None:
        seen = {Outcome(int(code)) for code in played.rows["outcome"]}
        cut = {Outcome.DONE, Outcome.LATE, Outcome.LOST_LEFT, Outcome.FAILED_OUTPUT}
        assert {*OUTCOMES, *cut} <= seen

    def test_battery_before_less_spent_plus_accepted_is_battery_after(self, played: Played) -> None:
        state = played.population.state
        for end_us in (0, 70 * HOUR_US):
            settle(played.population.world, end_us)
            spent = sum(state[name] for name in ENERGY_PARTS)
            after = played.battery_before_uj - spent + state["accepted_uj"]
            assert np.array_equal(after, state["battery_uj"])


def one_job(population: Population, folder: Path, **columns: Any) -> tuple[Any, list[Row], Told]:
    """Play one job on the first of *population*; return its row, its measures and its work."""
    engine, measures = Engine(), list[Row]()
    jobs = Jobs.plan(np.array([0]), kind=Kind.TRAIN, plan_us=0, first=3, up_bytes=1, **columns)
    fleet, told = android(engine, population, folder, measures), Told(jobs, fails=10**6)

    class Given(EndsKnown):
        def run(self, jobs: Jobs, work: Work | None = None) -> Any:
            return fleet.run(jobs, told)

    play(engine, Given(), population, [jobs])
    return jobs.rows[0], measures, told


def test_energy_is_the_profiles_power_for_the_measured_cpu_time(tmp_path: Path) -> None:
    population = steady("lte", cpu_uw=2_000_000)
    row, [measure], _ = one_job(population, tmp_path)
    expected_uj = 2 * int(measure["cpu_us"])
    assert abs(int(row["cpu_uj"]) - expected_uj) <= expected_uj // 1000
    assert measure["energy_source"] == "modelled"
    assert row["radio_uj"] == row["promotion_uj"] == 0


def test_a_late_device_is_cut_at_the_deadline_and_its_work_may_still_count(tmp_path: Path) -> None:
    """What it computed before the deadline is its own; what it sent after is lost."""
    free, _, _ = one_job(steady("lte"), tmp_path)
    for name, counts in (("finish_us", True), ("compute_end_us", False)):
        row, _, told = one_job(steady("lte"), tmp_path, deadline_us=int(free[name]) - 1)
        assert row["outcome"] == Outcome.LATE
        assert row["finish_us"] == free[name] - 1
        assert (told.accepted == [3]) is counts
        assert (row["compute_end_us"] >= 0) is np.bool_(counts)


def test_a_device_gets_time_to_come_back_and_less_while_it_does_not(tmp_path: Path) -> None:
    given: list[float] = []

    def wait(limit_s: float) -> None:
        given.append(limit_s)
        if len(given) in (2, 3):
            raise OfflineError("d", "gone")

    engine, population = Engine(), steady("lte")
    device = Attachment("d", 0, Device(), wait=wait)
    events: list[tuple[int, int, str, str]] = []
    evidence = Evidence(tmp_path, lambda _: None, lambda *event: events.append(event))
    fleet = AndroidFleet(engine, population, [device], evidence)
    outcomes = []
    for number in range(5):
        plan_us = number * HOUR_US
        jobs = Jobs.plan(np.array([0]), kind=Kind.TRAIN, plan_us=plan_us, first=number, up_bytes=1)
        fleet.run(jobs, Told(jobs, fails=10**6))
        outcomes.append(int(jobs["outcome"][0]))
    assert given == [BACK_S, BACK_S, STILL_GONE_S, STILL_GONE_S, BACK_S]
    gone = Outcome.FAILED_OFFLINE
    assert [code == gone for code in outcomes] == [False, True, True, False, False]
    assert events == [
        (1 * HOUR_US, 0, "churn", "unplugged"),
        (3 * HOUR_US, 0, "churn", "plugged-in"),
    ]


def test_outputs_are_kept_whole(tmp_path: Path) -> None:
    one_job(steady("lte"), tmp_path)
    with np.load(tmp_path / "uploads" / "3.npz", allow_pickle=False) as kept:
        assert kept["answer"].tolist() == [1]
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == ["3.npz"]


def test_a_job_without_work_or_without_device_is_a_mistake(tmp_path: Path) -> None:
    population = steady("lte", phones=2)
    engine = Engine()
    fleet = AndroidFleet(
        engine, population, [Attachment("d", 0, Device())], Evidence(tmp_path, print)
    )
    jobs = Jobs.plan(np.array([1]), kind=Kind.TRAIN, plan_us=0, first=0)
    with pytest.raises(ValueError, match="need the work"):
        fleet.run(jobs)
    with pytest.raises(ValueError, match="no device is attached as phone 1"):
        fleet.run(jobs, Told(jobs))
