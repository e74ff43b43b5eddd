"""What a runner on a device behind adb must do besides: outlive a dead server and a dead stop."""

import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.runners.bundle import ROOT
from droidloop.devices.fleets.model_job import Failed, Result, Runner
from droidloop.platform.jobs import Outcome

from .runner import SLOW, RunnerContract, on_host, ran, score_job, train_job


def meanwhile(
    run: Callable[[], Result], happens: Callable[[], bool], harm: Callable[[], None]
) -> Result:
    """Return what *run* gives when *harm* is done as soon as something *happens* in it."""
    with ThreadPoolExecutor(1) as pool:
        future: Future[Result] = pool.submit(run)
        deadline = time.monotonic() + 60
        while not happens():
            assert not future.done(), f"it ended too early: {future.result()}"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        harm()
        return future.result(timeout=120)


def running(connection: Connection) -> bool:
    """Whether the runner of a job is at work."""
    script = f"kill -0 $(cat {ROOT}/jobs/*/pid)"
    return connection.shell(["sh", "-c", script]).exit_code == 0


def stop_runner(connection: Connection) -> None:
    """Have the runner stand still; the device goes on answering."""
    connection.run(["sh", "-c", f"kill -STOP $(cat {ROOT}/jobs/*/pid)"])


class RunnerOnDeviceContract(RunnerContract):
    """Inherit it and give the fixtures ``runner`` and ``connection``, of the same device."""

    @pytest.fixture
    def connection(self) -> Connection:
        raise NotImplementedError

    def test_a_server_that_dies_during_a_job_fails_it_and_is_back_for_the_next(
        self, runner: Runner, connection: Connection
    ) -> None:
        def kill() -> None:
            process = connection.adb.server_pid
            assert process is not None
            os.kill(process, signal.SIGKILL)

        job = train_job(steps=SLOW, timeout_s=30)
        result = meanwhile(lambda: runner.run(job), lambda: running(connection), kill)
        assert isinstance(result, Failed)
        assert result.outcome is Outcome.FAILED_LINK
        self._goes_on(runner, connection)

    def test_a_runner_that_stands_still_is_ended(
        self, runner: Runner, connection: Connection
    ) -> None:
        job = train_job(steps=SLOW, timeout_s=10)  # time to be stopped in, on a busy host
        result = meanwhile(
            lambda: runner.run(job), lambda: running(connection), lambda: stop_runner(connection)
        )
        assert result == Failed(
            Outcome.FAILED_TIMEOUT, "the runner did not finish in 10 s and was ended"
        )
        self._goes_on(runner, connection)

    def _goes_on(self, runner: Runner, connection: Connection) -> None:
        connection.wait(60.0)
        job = score_job("scorer_w8")
        tolerance = 0 if self.same_instructions else 1e-5
        scores = ran(runner, job).outputs["scores"]
        np.testing.assert_allclose(scores, on_host(job)["scores"], rtol=0, atol=tolerance)
        assert not running(connection)
