"""The runner of this host fulfils the contract."""

import pytest

from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import Runner
from tests.contracts.runner import RunnerContract


class TestHostRunner(RunnerContract):
    @pytest.fixture
    def runner(self) -> Runner:
        return HostRunner()
