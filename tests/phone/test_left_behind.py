"""What a run that was killed has left on a phone is gone when the next command is ready."""

import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.fleet.attaching import made_ready
from droidloop.devices.android.fleet.harms import FILLER, fill
from droidloop.devices.android.runners.bundle import ROOT
from tests.contracts.runner_on_device import running

from .conftest import Attached, healthy
from .made import bundle

pytestmark = pytest.mark.phone

JOB = f"""mkdir -p {ROOT}/jobs/1-0 && cd {ROOT}/jobs/1-0 || exit 1
sleep 4321 >/dev/null 2>&1 </dev/null &
echo $! >pid"""


def sleeping(phone: Attached) -> bool:
    """Return whether the job of the killed run goes on."""
    return phone.connection.shell(["pidof", "sleep"]).exit_code == 0


@pytest.mark.usefixtures("pair")
def test_a_job_that_goes_on_is_ended_and_filled_storage_emptied(adb: Adb, phone: Attached) -> None:
    phone.connection.run(["sh", "-c", JOB])
    fill(phone.connection)
    assert sleeping(phone)
    assert phone.connection.shell(["test", "-f", FILLER]).exit_code == 0
    with made_ready(adb, phone.phone.serial, [bundle("x86_64").path], print) as ready:
        assert not sleeping(phone)
        assert phone.connection.shell(["test", "-e", FILLER]).exit_code == 1
        assert not running(phone.connection)
        assert ready.connection.serial == phone.phone.serial
    assert phone.listing() == []
    assert healthy(phone)
