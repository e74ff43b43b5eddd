"""A device of a test bed works as its file says, and shows what it says."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.conditions.conditions import (
    BatteryCondition,
    Imposed,
    LinkCondition,
)
from droidloop.devices.android.errors import OfflineError
from droidloop.devices.android.fleet.fleet import AndroidFleet, Attachment
from droidloop.devices.android.fleet.setup import PLAIN, Setup, SetUpRunner
from droidloop.devices.fleets.device_outputs import Evidence
from droidloop.devices.fleets.model_job import Failed, ModelJob, Result
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import Jobs, Kind, Outcome
from tests.contracts.worlds import steady
from tests.devices.android.fleet.test_fleet import Told

ROW = (LinkCondition(up_bps=1), BatteryCondition(50, charging=True))


class Keeping:
    """Keeps the jobs that it is given, and fails them."""

    def __init__(self) -> None:
        self.jobs: list[ModelJob] = []

    def run(self, job: ModelJob) -> Result:
        self.jobs.append(job)
        return Failed(Outcome.FAILED_RUNNER, "as it was told", log="the runner's last words")

    def clean(self) -> None:
        pass


def test_jobs_take_the_threads_and_cores_of_the_setup() -> None:
    runner = Keeping()
    SetUpRunner(runner, Setup(threads=4, cores=(4, 5))).run(ModelJob(Path("m"), {}, []))
    assert [(job.threads, job.cores) for job in runner.jobs] == [(4, (4, 5))]


@pytest.mark.parametrize(
    ("setup", "impose", "expected"),
    [
        (PLAIN, True, ROW),
        (Setup(battery=BatteryCondition(9, False)), False, (None, BatteryCondition(9, False))),
        (Setup(battery=BatteryCondition(9, False)), True, (ROW[0], BatteryCondition(9, False))),
        (Setup(link=LinkCondition(covered=False)), False, (LinkCondition(covered=False), None)),
    ],
)
def test_what_it_is_made_to_show_goes_before_its_rows(
    setup: Setup, impose: bool, expected: object
) -> None:
    seen: list[object] = []

    @contextmanager
    def hold(link: LinkCondition | None, battery: BatteryCondition | None) -> Iterator[Imposed]:
        seen.append((link, battery))
        yield Imposed()

    held = setup.hold(hold, impose=impose)
    assert held is not None
    with held(*ROW):
        assert seen == [expected]


def test_nothing_is_held_where_nothing_is_said() -> None:
    @contextmanager
    def hold(link: object, battery: object) -> Iterator[Imposed]:
        yield Imposed()

    assert PLAIN.hold(hold, impose=False) is None


def fail_one(folder: Path, device: Attachment) -> None:
    """Play one job that fails on *device*; what it leaves lies in *folder*."""
    fleet = AndroidFleet(Engine(), steady("lte"), [device], Evidence(folder, lambda _: None))
    jobs = Jobs.plan(np.array([0]), kind=Kind.TRAIN, plan_us=0, first=3, up_bytes=1)
    fleet.run(jobs, Told(jobs, fails=10**6))
    assert jobs["outcome"][0] == Outcome.FAILED_RUNNER


def test_the_logs_of_a_failed_job_are_kept(tmp_path: Path) -> None:
    fail_one(tmp_path, Attachment("d", 0, Keeping(), logcat=lambda: "I lmkd: Kill\n"))
    assert (tmp_path / "failed" / "3-runner.log").read_text() == "the runner's last words"
    assert (tmp_path / "failed" / "3-logcat.log").read_text() == "I lmkd: Kill\n"
    assert (tmp_path / "devices.log").read_text() == "job 3 on phone 0: as it was told\n"


def test_a_device_that_gives_no_log_fails_all_the_same(tmp_path: Path) -> None:
    def gone() -> str:
        raise OfflineError("d", "gone")

    fail_one(tmp_path, Attachment("d", 0, Keeping(), logcat=gone))
    assert [path.name for path in (tmp_path / "failed").iterdir()] == ["3-runner.log"]
