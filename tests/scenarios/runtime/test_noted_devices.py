"""What a manifest says of real devices is what they can be attached by again."""

from pathlib import Path
from typing import Any

import pytest

from droidloop.devices.android.conditions.conditions import BatteryCondition, LinkCondition
from droidloop.devices.android.fleet.fleet import Attachment
from droidloop.devices.android.fleet.setup import Setup
from droidloop.platform.errors import LedgerError, UsageError
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.front.devices import Devices, attachments_again, setup_of
from droidloop.scenarios.runtime.fleets import (
    Attached,
    noted_devices,
    require_same_devices,
    section_of,
)

SETUPS = [
    Setup(),
    Setup("old one", 2, (4, 5), LinkCondition(True, 1_500_000, 0), BatteryCondition(15, False)),
    Setup(link=LinkCondition(False)),
]


def device(setup: Setup, phone: int = 3) -> Attachment:
    return Attachment(f"serial-{phone}", phone, None, setup=setup)  # type: ignore[arg-type]


def begun(path: Path, devices: list[Attachment], **more: Any) -> RunDirectory:
    attached = Attached({one.phone: one.serial for one in devices}, tuple(devices))
    return RunDirectory.create(path, seed=1, scenario={}, noted={**attached.noted(), **more})


@pytest.mark.parametrize("setup", SETUPS)
def test_a_setup_comes_back_from_what_is_noted_of_it(setup: Setup) -> None:
    section = section_of(device(setup))
    assert (section.serial, section.phone) == ("serial-3", 3)
    assert setup_of(section) == setup


def test_devices_are_noted_from_the_first_manifest_on(tmp_path: Path) -> None:
    devices = [device(setup, phone) for phone, setup in enumerate(SETUPS)]
    run = begun(tmp_path / "run", devices)
    assert [setup_of(one) for one in noted_devices(run)] == SETUPS
    require_same_devices(run, devices)
    with pytest.raises(UsageError, match="alone: serial-0 as phone 0, serial-1 as phone 1"):
        require_same_devices(run, devices[:1])
    simulated = begun(tmp_path / "simulated", [])
    assert noted_devices(simulated) == []
    with pytest.raises(UsageError, match="alone: none"):
        require_same_devices(simulated, devices)


def test_a_replay_goes_on_without_devices(tmp_path: Path) -> None:
    run = begun(tmp_path / "run", [device(Setup())], replay="other")
    assert noted_devices(run) == []
    with attachments_again(run.path, Devices()) as found:
        assert found == []


@pytest.mark.parametrize("seats", [None, 7, [{"serial": ""}], [{"phone": 1}], [{"serial": 5}]])
def test_a_manifest_that_does_not_tell_the_devices_is_refused(tmp_path: Path, seats: Any) -> None:
    run = begun(tmp_path / "run", [device(Setup())], seats=seats)
    with pytest.raises(LedgerError, match="seats does not say which devices took part"):
        noted_devices(run)


def test_a_run_that_goes_on_takes_no_other_devices(tmp_path: Path) -> None:
    run = begun(tmp_path / "run", [device(Setup())])
    with pytest.raises(UsageError, match="goes on with the devices that it was begun with"):
        attachments_again(run.path, Devices(("other",)))
