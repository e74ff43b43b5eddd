"""The bundle's runner fulfils the contract on the QEMU phone, through adb."""

from collections.abc import Iterator

import pytest

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import Runner
from tests.contracts.runner import ran, score_job
from tests.contracts.runner_on_device import RunnerOnDeviceContract

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
