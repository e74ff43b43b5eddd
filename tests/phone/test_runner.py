"""The bundle's runner fulfils the contract on the QEMU phone, through adb."""

import time
from collections.abc import Iterator

import pytest

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.errors import DeviceTimeoutError
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import Failed, Runner
from droidloop.platform.jobs import Outcome
from tests.contracts.runner import SLOW, ran, score_job, train_job
from tests.contracts.runner_on_device import (
    RunnerOnDeviceContract,
    meanwhile,
    running,
    stop_runner,
)

from .conftest import Attached
from .made import bundle

pytestmark = pytest.mark.phone


@pytest.fixture(scope="module")
def installed(pair: tuple[Attached, Attached]) -> Iterator[BundleRunner]:
    """One runner for all tests, with its bundle on the phone."""
    runner = BundleRunner(pair[0].device(), bundle("x86_64"), grace_s=3.0)
    runner.install()
    yield runner
    runner.clean()
    assert pair[0].listing() == []


class TestBundleRunnerOnPhone(RunnerOnDeviceContract):
    @pytest.fixture
    def connection(self, phone: Attached) -> Connection:
        return phone.connection

    @pytest.fixture
    def runner(self, installed: BundleRunner, phone: Attached) -> Iterator[Runner]:
        yield installed
        assert phone.connection.run(["ls", "/data/local/tmp/droidloop/jobs"]) == ""

    def test_a_new_runner_finds_the_bundle_and_the_model_there(
        self, installed: BundleRunner, phone: Attached
    ) -> None:
        first = ran(installed, score_job("scorer_d8"))
        again = ran(BundleRunner(phone.device(), bundle("x86_64")), score_job("scorer_d8"))
        assert again.sent_bytes < 10_000 < bundle("x86_64").path.stat().st_size
        assert (again.outputs["scores"] == first.outputs["scores"]).all()


@pytest.fixture
def ending(phone: Attached) -> Iterator[Attached]:
    """The phone with an adbd that is like Android's in what a closed stream ends."""
    phone.end_with_streams()
    yield phone
    phone.end_with_streams(False)


def test_what_a_closed_stream_has_started_is_gone(ending: Attached) -> None:
    with pytest.raises(DeviceTimeoutError):
        ending.connection.shell(["sh", "-c", "sleep 4321"], timeout_s=1.0)
    left = "grep -lx sleep /proc/[0-9]*/comm"
    deadline = time.monotonic() + 10
    while ending.connection.shell(["sh", "-c", left]).stdout:
        assert time.monotonic() < deadline


def test_a_runner_that_its_stream_took_along_has_not_lost_its_link(
    installed: BundleRunner, ending: Attached
) -> None:
    """It stood still, and adbd was quicker than whoever wanted to end it: that is no bad link."""
    job = train_job(steps=SLOW, timeout_s=10)  # time to be stopped in, on a busy host
    result = meanwhile(
        lambda: installed.run(job),
        lambda: running(ending.connection),
        lambda: stop_runner(ending.connection),
    )
    assert result == Failed(
        Outcome.FAILED_TIMEOUT, "the runner did not finish in 10 s and was ended"
    )
