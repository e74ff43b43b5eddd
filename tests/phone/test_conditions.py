"""A battery imposed through a real adbd is taken back, whatever becomes of the run."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from droidloop.devices.android.conditions.conditions import (
    BatteryCondition,
    LinkCondition,
    restore_pending,
)
from droidloop.devices.android.conditions.imposing import holder_of
from droidloop.devices.android.conditions.journal import pending_serials
from droidloop.devices.android.errors import RestoreError
from droidloop.devices.android.parsers.battery import Battery, parse_battery

from .conftest import Attached

pytestmark = pytest.mark.phone

LOW = BatteryCondition(level_percent=7, charging=False)


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DROIDLOOP_STATE", str(tmp_path / "state"))


@pytest.fixture
def mine(phone: Attached) -> Iterator[Attached]:
    """The first phone, which shows its own battery before and after."""
    assert not battery(phone).updates_stopped
    yield phone
    phone.mend()
    assert not battery(phone).updates_stopped
    assert pending_serials() == ()


def battery(attached: Attached) -> Battery:
    return parse_battery(attached.connection.run(["dumpsys", "battery"]))


def test_the_phone_shows_what_is_imposed_and_then_its_own_again(mine: Attached) -> None:
    own = battery(mine)
    with holder_of(mine.connection)(LinkCondition(), LOW) as imposed:
        shown = battery(mine)
        assert imposed.battery
        assert (shown.level, shown.plugged, shown.updates_stopped) == (7, False, True)
    assert battery(mine) == own
    assert own.level != 7


def test_a_run_that_was_killed_is_taken_back_by_the_next(mine: Attached) -> None:
    code = (
        "import sys, time\n"
        "from droidloop.devices.android.adb.adb import Adb\n"
        "from droidloop.devices.android.conditions.conditions import *\n"
        "from droidloop.devices.android.adb.connection import Connection\n"
        "connection = Connection(Adb(int(sys.argv[1])), sys.argv[2])\n"
        "with impose(connection, battery=BatteryCondition(7, False)):\n"
        "    print('imposed', flush=True)\n"
        "    time.sleep(60)\n"
    )
    adb = mine.connection.adb
    command = [sys.executable, "-c", code, str(adb.port), mine.phone.serial]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == b"imposed\n"
        run.kill()
    assert battery(mine).updates_stopped
    [restored] = restore_pending(adb)
    assert restored.error is None


def test_a_phone_that_was_gone_is_taken_back_when_it_is_there_again(mine: Attached) -> None:
    adb = mine.connection.adb

    def lose() -> None:
        with holder_of(mine.connection)(LinkCondition(), LOW):
            adb.disconnect(mine.phone.serial)

    with pytest.raises(RestoreError, match="still has 1 imposed conditions"):
        lose()
    assert pending_serials() == (mine.phone.serial,)
    [restored] = restore_pending(adb)
    assert restored.error is None
