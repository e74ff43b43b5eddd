"""What goes wrong on a real adbd ends the one job with its cause, and the phone is usable again."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.bundle_runner import BundleRunner
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.runner import Failed, ModelJob, Ran, Result
from droidloop.platform.jobs import Outcome
from tests.contracts.runner import SLOW, failed, on_host, ran, score_job, train_job

from .conftest import MEMORY_MIB, Attached
from .made import bundle, models

pytestmark = pytest.mark.phone

BIG_BYTES = 120_000_000
"""Of a file whose push takes some seconds."""


@pytest.fixture
def big_model(tmp_path: Path) -> Path:
    """A model that is followed by a hundred million zeros."""
    path = tmp_path / "big.tflite"
    path.write_bytes((models() / "scorer_d8.tflite").read_bytes())
    with path.open("r+b") as file:
        file.truncate(BIG_BYTES)
    return path


@pytest.fixture(scope="module", autouse=True)
def left_clean(pair: tuple[Attached, Attached]) -> Iterator[None]:
    """After all that went wrong, a runner removes every file that the failed jobs left."""
    yield
    for attached in pair:
        BundleRunner(attached.device(), bundle("x86_64")).clean()
        assert attached.listing() == []


@pytest.fixture
def runner(phone: Attached) -> Iterator[BundleRunner]:
    """A runner on the first phone that shows in the end that the phone is usable again."""
    runner = BundleRunner(phone.device(transfer_s=4.0), bundle("x86_64"), grace_s=5.0)
    runner.install()
    yield runner
    phone.mend()
    job = score_job("scorer_d8")
    assert np.array_equal(ran(runner, job).outputs["scores"], on_host(job)["scores"])
    assert not running(phone)
    assert phone.connection.run(["ls", "/data/local/tmp/droidloop/jobs"]) == ""


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


def pushing(attached: Attached) -> bool:
    """Whether some of a big file has arrived."""
    script = 'find /data/local/tmp -name "*.part" -size +2000k'
    return attached.connection.run(["sh", "-c", script]) != ""


def running(attached: Attached) -> bool:
    """Whether the program of a job has started."""
    answer = attached.connection.shell(["sh", "-c", "pidof ld-linux-x86-64.so.2 device_job"])
    return answer.exit_code == 0


def test_a_link_cut_during_a_push_fails_that_job(
    runner: BundleRunner, phone: Attached, big_model: Path
) -> None:
    result = meanwhile(
        lambda: runner.run(score_job(model=big_model)),
        lambda: pushing(phone),
        lambda: phone.phone.set_link(False),
    )
    assert isinstance(result, Failed)
    assert result.outcome in (Outcome.FAILED_TIMEOUT, Outcome.FAILED_LINK)


def test_adbd_killed_during_a_push_fails_that_job(
    runner: BundleRunner, phone: Attached, big_model: Path
) -> None:
    def kill() -> None:
        with suppress(AndroidError):  # it cannot answer any more
            phone.connection.shell(["killall", "-9", "adbd"], timeout_s=10.0)

    result = meanwhile(lambda: runner.run(score_job(model=big_model)), lambda: pushing(phone), kill)
    assert isinstance(result, Failed)
    assert result.outcome in (Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE)


def test_a_phone_killed_during_training_is_lost_and_no_other(
    spare: Attached, other: Attached
) -> None:
    doomed = BundleRunner(spare.device(), bundle("x86_64"))
    doomed.install()
    beside = BundleRunner(other.device(), bundle("x86_64"))
    result = meanwhile(
        lambda: doomed.run(train_job(steps=SLOW)), lambda: running(spare), spare.phone.kill
    )
    assert isinstance(result, Failed)
    assert result.outcome in (Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE)
    job = train_job()
    np.testing.assert_allclose(
        ran(beside, job).outputs["new_rows"], on_host(job)["new_rows"], atol=1e-5
    )
    beside.clean()


def test_a_server_killed_during_a_run_fails_that_job(runner: BundleRunner, phone: Attached) -> None:
    def kill() -> None:
        process = phone.connection.adb.server_pid
        assert process is not None
        os.kill(process, signal.SIGKILL)

    result = meanwhile(
        lambda: runner.run(train_job(steps=SLOW, timeout_s=30)), lambda: running(phone), kill
    )
    assert isinstance(result, Failed)
    assert result.outcome is Outcome.FAILED_LINK


def _overcommit(attached: Attached, on: bool) -> None:
    script = 'echo "$1" >/proc/sys/vm/overcommit_memory'
    attached.connection.run(["sh", "-c", script, "sh", str(int(on))])


def hungry_job() -> ModelJob:
    return ModelJob(models() / "hungry.tflite", {"x": np.ones(1, np.float32)}, ["y"])


def test_more_memory_than_the_phone_has_is_not_given(runner: BundleRunner) -> None:
    assert failed(runner, hungry_job()).outcome is Outcome.FAILED_MEMORY


def test_a_runner_that_the_kernel_kills_ran_out_of_memory(
    runner: BundleRunner, phone: Attached
) -> None:
    """With overcommitment, as Android has it, memory runs out only when it is used."""
    phone.phone.set_memory(256)  # less of it is used up sooner
    _overcommit(phone, True)
    try:
        failure = failed(runner, hungry_job())
    finally:
        _overcommit(phone, False)
        phone.phone.set_memory(MEMORY_MIB)
    assert failure == Failed(Outcome.FAILED_MEMORY, "the runner was killed (137): out of memory")


@contextmanager
def filled(attached: Attached, left_kib: int) -> Iterator[None]:
    """Have only *left_kib* KiB of the phone's storage free."""
    script = """free=$(df -k /data | awk 'NR == 2 { print $4 }')
fallocate -l $((free - $1))k /data/filler"""
    attached.connection.run(["sh", "-c", script, "sh", str(left_kib)])
    try:
        yield
    finally:
        attached.connection.run(["rm", "/data/filler"])


def test_a_full_storage_is_named_and_what_arrived_is_removed(
    runner: BundleRunner, phone: Attached
) -> None:
    with filled(phone, 1000):
        failure = failed(runner, score_job())
        parts = phone.connection.run(["find", "/data/local/tmp", "-name", "*.part"])
    assert failure.outcome is Outcome.FAILED_STORAGE
    assert parts == ""


def test_a_bundle_that_does_not_fit_leaves_nothing(phone: Attached) -> None:
    """The archive fits, what is in it does not."""
    runner = BundleRunner(phone.device(), bundle("x86_64"))
    runner.clean()
    with filled(phone, 12_000):
        failure = failed(runner, score_job())
        files = phone.connection.run(["find", "/data/local/tmp", "-type", "f"])
    assert failure.outcome is Outcome.FAILED_STORAGE
    assert files == ""


def test_a_runner_that_answers_to_nothing_is_ended(runner: BundleRunner, phone: Attached) -> None:
    def stop() -> None:
        phone.connection.run(["sh", "-c", "kill -STOP $(cat /data/local/tmp/droidloop/jobs/*/pid)"])

    result = meanwhile(
        lambda: runner.run(train_job(steps=SLOW, timeout_s=3)), lambda: running(phone), stop
    )
    assert result == Failed(
        Outcome.FAILED_TIMEOUT, "the runner did not finish in 3 s and was ended"
    )
    assert not running(phone)


def test_a_link_cut_during_a_run_fails_that_job(runner: BundleRunner, phone: Attached) -> None:
    result = meanwhile(
        lambda: runner.run(train_job(steps=SLOW, timeout_s=2)),
        lambda: running(phone),
        lambda: phone.phone.set_link(False),
    )
    assert isinstance(result, Failed)
    assert result.outcome is Outcome.FAILED_LINK


def test_two_phones_work_in_parallel(pair: tuple[Attached, Attached]) -> None:
    runners = [BundleRunner(attached.device(), bundle("x86_64")) for attached in pair]
    for one in runners:
        one.install()
    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda one: one.run(train_job()), runners))
    first, second = results
    assert isinstance(first, Ran)
    assert isinstance(second, Ran)
    np.testing.assert_array_equal(first.outputs["new_rows"], second.outputs["new_rows"])
    for one in runners:
        one.clean()
