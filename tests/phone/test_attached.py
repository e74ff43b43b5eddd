"""What a real phone or emulator has to do: run where one is attached.

DROIDLOOP_SERIAL=emulator-5554 pytest -m emulator
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions.conditions import BatteryCondition, LinkCondition
from droidloop.devices.android.conditions.journal import pending_serials
from droidloop.devices.android.fleet.attached import AttachedDevice
from droidloop.devices.android.fleet.attaching import Seat, Way, attached, property_of
from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.android.runners.bundle import abi_of
from droidloop.devices.android.runners.bundle_cache import kept_bundle
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import Runner
from droidloop.platform.jobs import Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.run.run import execute
from droidloop.scenarios.schema.load import load
from tests.contracts.runner_on_device import RunnerOnDeviceContract
from tests.scenarios.run.test_mixed import ALONE, table_of
from tests.scenarios.run.test_run import digest

SERIAL = os.environ.get("DROIDLOOP_SERIAL", "")
pytestmark = [
    pytest.mark.emulator,
    pytest.mark.skipif(not SERIAL, reason="needs DROIDLOOP_SERIAL: a device that adb lists"),
]


@pytest.fixture(scope="class")
def reached() -> Iterator[Connection]:
    """The connection to the device; a USB phone belongs to one adb server at a time."""
    with Adb.start() as adb:
        adb.attach(SERIAL)
        connection = Connection(adb, SERIAL)
        connection.wait(60.0)
        yield connection


@pytest.fixture(scope="class")
def installed(reached: Connection) -> Iterator[BundleRunner]:
    """A runner with its bundle on the device; clean afterwards."""
    abi = abi_of(property_of(reached, "ro.product.cpu.abi"))
    runner = BundleRunner(AttachedDevice(reached), kept_bundle(abi))
    runner.install()
    yield runner
    runner.clean()


class TestRunner(RunnerOnDeviceContract):
    same_instructions = False  # of no known processor

    @pytest.fixture
    def runner(self, installed: BundleRunner) -> Runner:
        return installed

    @pytest.fixture
    def connection(self, reached: Connection) -> Connection:
        return reached


@pytest.fixture
def device() -> Iterator[Attachment]:
    """The device as a run has it; clean afterwards."""
    said: list[str] = []
    with attached([Seat(SERIAL, 0)], said.append, Way(impose=True)) as [one]:
        yield one
    known = ("preparing", f"{SERIAL}: its ")  # rate is not imposed: a phone has no console
    assert not [line for line in said if not line.startswith(known)]


def test_an_emulators_link_and_battery_are_imposed_and_taken_back(device: Attachment) -> None:
    if not SERIAL.startswith("emulator-"):
        pytest.skip("a phone may forbid it: conditions are imposed there as far as it goes")
    assert device.hold is not None
    link, battery = LinkCondition(up_bps=1_000_000, down_bps=4_000_000), BatteryCondition(42, False)
    with device.hold(link, battery) as imposed:
        assert (imposed.rate, imposed.coverage, imposed.battery) == (True, True, True), imposed
    assert SERIAL not in pending_serials()


def test_a_run_with_it_gives_the_hosts_model_and_a_replay_the_same_bytes(
    device: Attachment, tmp_path: Path
) -> None:
    file = tmp_path / "alone.toml"
    file.write_text(ALONE)
    scenario = load(file, ["population.phones=1"])
    for name, devices in (("host", []), ("device", [device])):
        execute(scenario, tmp_path / name, replay=None, progress=lambda *_: None, devices=devices)
    np.testing.assert_allclose(
        table_of(tmp_path / "device"), table_of(tmp_path / "host"), rtol=0, atol=1e-5
    )
    rows = read(tmp_path / "device", "jobs")
    assert rows["measured"].all()
    assert set(rows["outcome"].tolist()) == {Outcome.DONE}
    replayed = tmp_path / "replay"
    execute(scenario, replayed, replay=tmp_path / "device", progress=lambda *_: None)
    assert digest(replayed) == digest(tmp_path / "device")
