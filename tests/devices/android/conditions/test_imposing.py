"""What a row says of its link and battery is held on its device for a job, and then taken back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions.conditions import BatteryCondition, Imposed, LinkCondition
from droidloop.devices.android.conditions.imposing import conditions_of, holder_of
from droidloop.devices.android.emulator.console import Console
from droidloop.devices.android.errors import AndroidError, ConditionError, RestoreError
from droidloop.devices.android.fleet.fleet import AndroidFleet, Attachment
from droidloop.devices.fleets.device_outputs import Evidence
from droidloop.devices.fleets.mixed import put_on_cable
from droidloop.devices.fleets.model_job import Failed, ModelJob, Result
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import Jobs, Kind, Outcome
from tests.contracts.worlds import steady
from tests.devices.android.fake_adb import FakeAdb
from tests.devices.android.fake_console import FakeConsole
from tests.devices.android.fake_phone import FakePhone
from tests.devices.android.fleet.test_fleet import Device, Told

LINK = LinkCondition(covered=True, up_bps=2_000_000, down_bps=8_000_000)
BATTERY = BatteryCondition(37, charging=False)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path / "state"))


def test_conditions_are_those_of_the_row() -> None:
    population = steady("lte", mbps=8.0, up_mbps=2.0, charge_uw=0)
    population.state["battery_uj"] = population.traits["capacity_uj"] * 37 // 100 + 1
    assert conditions_of(population, 0, 5) == (LINK, BATTERY)


def test_a_row_on_a_cable_is_at_home_and_charging() -> None:
    population = steady("lte", phones=2, mbps=8.0, up_mbps=2.0)
    put_on_cable(population, [1])
    assert conditions_of(population, 1, 5) == (LINK, BatteryCondition(100, charging=True))


def test_a_phone_shows_the_battery_during_the_block(fake: FakeAdb, adb: Adb) -> None:
    phone = FakePhone()
    fake.devices["a"] = phone.device()
    with holder_of(Connection(adb, "a"))(LINK, BATTERY) as imposed:
        assert phone.frozen == {"level": "37", "ac": "0", "status": "3"}
        assert (imposed.battery, imposed.rate) == (True, False)
    assert phone.untouched


def test_an_emulator_is_shaped_by_its_console(
    fake: FakeAdb, adb: Adb, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FakeConsole(token="") as server:
        serial, phone = f"emulator-{server.port}", FakePhone()
        fake.devices[serial] = phone.device()
        before = (server.up_bps, server.down_bps)
        with holder_of(Connection(adb, serial))(LINK, BATTERY) as imposed:
            assert (server.up_bps, server.down_bps) == (2_000_000, 8_000_000)
            assert server.power["capacity"] == "37"
            assert imposed.rate
        with Console(server.port) as console:
            assert console.network_status().upload_bps == before[0] == server.up_bps
        assert phone.untouched


def test_an_emulator_whose_console_refuses_is_treated_as_a_phone(fake: FakeAdb, adb: Adb) -> None:
    phone = FakePhone()
    fake.devices["emulator-1"] = phone.device()  # nothing listens on port 1
    with holder_of(Connection(adb, "emulator-1"))(LINK, BATTERY) as imposed:
        assert imposed.battery
        assert phone.frozen is not None
    assert phone.untouched


class Held:
    """A device that keeps what is held on it, and fails where it is told to."""

    def __init__(self, before: AndroidError | None = None, after: AndroidError | None = None):
        self.seen: list[tuple[LinkCondition | None, BatteryCondition | None]] = []
        self._before, self._after = before, after

    @contextmanager
    def hold(
        self, link: LinkCondition | None, battery: BatteryCondition | None
    ) -> Iterator[Imposed]:
        self.seen.append((link, battery))
        if self._before is not None:
            raise self._before
        yield Imposed(battery=True)
        if self._after is not None:
            raise self._after


class Broken:
    """A device that never does its job."""

    def run(self, job: ModelJob) -> Result:
        return Failed(Outcome.FAILED_MEMORY, "as the test wants it")

    def clean(self) -> None:
        pass


def outcome(folder: Path, held: Held, runner: Any, measures: list[Any] | None = None) -> Outcome:
    """Play one job on a device that holds conditions; return how it ended."""
    engine, population = Engine(), steady("lte", mbps=8.0, up_mbps=2.0, charge_uw=0)
    device = Attachment("d", 0, runner, meter=lambda: 1_000_000, hold=held.hold)
    rows: list[Any] = [] if measures is None else measures
    fleet = AndroidFleet(engine, population, [device], Evidence(folder, rows.append))
    jobs = Jobs.plan(np.array([0]), kind=Kind.TRAIN, plan_us=0, first=3, up_bytes=1)
    fleet.run(jobs, Told(jobs, fails=10**6))
    return Outcome(int(jobs["outcome"][0]))


def test_a_job_runs_under_its_rows_conditions_and_no_energy_is_read(tmp_path: Path) -> None:
    held, measures = Held(), list[Any]()
    assert outcome(tmp_path, held, Device(), measures) is Outcome.DONE
    assert held.seen == [(LINK, BatteryCondition(100, charging=False))]
    assert measures[0]["energy_source"] == "modelled"


@pytest.mark.parametrize(
    ("held", "runner", "expected"),
    [
        (Held(before=ConditionError("d", "no")), Device(), Outcome.FAILED_RUNNER),
        (Held(after=RestoreError("d", "no")), Device(), RestoreError.outcome),
        (Held(after=RestoreError("d", "no")), Broken(), Outcome.FAILED_MEMORY),
    ],
)
def test_conditions_that_fail_fail_the_job_unless_it_has_failed_before(
    tmp_path: Path, held: Held, runner: Any, expected: Outcome
) -> None:
    assert outcome(tmp_path, held, runner) is expected


def test_what_a_device_does_not_show_is_noted_once_a_reason(tmp_path: Path) -> None:
    reasons = {"rate": "no console", "battery": "forbidden"}

    @contextmanager
    def hold(link: LinkCondition | None, battery: BatteryCondition | None) -> Iterator[Imposed]:
        yield Imposed(reasons=reasons)

    events: list[tuple[int, int, str, str]] = []
    evidence = Evidence(tmp_path, lambda _: None, lambda *event: events.append(event))
    population = steady("lte", mbps=8.0, up_mbps=2.0)
    fleet = AndroidFleet(Engine(), population, [Attachment("d", 0, Device(), hold=hold)], evidence)
    for number in (0, 1):
        jobs = Jobs.plan(
            np.array([0]), kind=Kind.TRAIN, plan_us=number * 10**9, first=number, up_bytes=1
        )
        fleet.run(jobs, Told(jobs, fails=10**6))
    assert events == [(0, 0, "not-imposed", "rate"), (0, 0, "not-imposed", "battery")]
    assert (tmp_path / "devices.log").read_text().splitlines() == [
        "phone 0: its rate is not imposed: no console",
        "phone 0: its battery is not imposed: forbidden",
    ]


def test_people_are_told_once_what_a_phone_does_not_permit(fake: FakeAdb, adb: Adb) -> None:
    fake.devices["a"] = FakePhone(forbidden={"cmd battery", "dumpsys battery"}).device()
    said: list[str] = []
    hold = holder_of(Connection(adb, "a"), said.append)
    for _ in range(2):
        with hold(LINK, BATTERY) as imposed:
            assert not imposed.battery
    assert [line.partition(":")[2][:26] for line in said] == [
        " its rate is not imposed: ",
        " its battery is not impose",
    ]
