"""A device is reached, or soon said not to be there."""

import time

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.emulator.finding import reach
from droidloop.devices.android.errors import AbsentError
from tests.devices.android.fake_adb import FakeAdb


def test_a_device_that_is_there_is_reached(adb: Adb) -> None:
    assert reach(adb, "phone").run(["echo", "yes"]) == "yes\n"


@pytest.mark.parametrize("serial", ["unknown", "R58M; reboot"])
def test_an_unknown_serial_is_said_soon(adb: Adb, serial: str) -> None:
    """It took 41 s, as if a phone were starting anew."""
    begin = time.monotonic()
    with pytest.raises(AbsentError, match="not attached; there is phone; plug it in"):
        reach(adb, serial, appear_s=0.2)
    assert time.monotonic() - begin < 10


def test_an_emulator_that_does_not_run_is_said_soon(
    adb: Adb, fake: FakeAdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("droidloop.devices.android.adb.adb.ATTACH_S", 0.2)
    with pytest.raises(AbsentError, match="emulator-5600: no emulator on port 5601"):
        reach(adb, "emulator-5600")
