"""Faults of a real adbd that test_faults_in_a_run.py does not show."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran
from droidloop.platform.jobs import Outcome
from tests.contracts.runner import failed, on_host, ran, score_job, train_job
from tests.contracts.runner_on_device import meanwhile

from .conftest import Attached
from .harm import computing, empty_storage, fill_storage, long
from .made import bundle, models

pytestmark = pytest.mark.phone


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
    runner = BundleRunner(phone.device(transfer_s=4.0), bundle("x86_64"), grace_s=3.0)
    runner.install()
    yield runner
    phone.mend()
    job = score_job("scorer_d8")
    assert np.array_equal(ran(runner, job).outputs["scores"], on_host(job)["scores"])
    assert not computing(phone)
    assert phone.connection.run(["ls", "/data/local/tmp/droidloop/jobs"]) == ""


def hungry_job() -> ModelJob:
    return ModelJob(models() / "hungry.tflite", {"x": np.ones(1, np.float32)}, ["y"])


def test_more_memory_than_the_phone_has_is_not_given(runner: BundleRunner) -> None:
    assert failed(runner, hungry_job()).outcome is Outcome.FAILED_MEMORY


@contextmanager
def filled(attached: Attached, left_kib: int) -> Iterator[None]:
    """Have only *left_kib* KiB of the phone's storage free."""
    fill_storage(attached, left_kib)
    try:
        yield
    finally:
        empty_storage(attached)


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


def test_a_link_cut_during_a_run_fails_that_job(runner: BundleRunner, phone: Attached) -> None:
    job = long(train_job(timeout_s=2))
    result = meanwhile(
        lambda: runner.run(job), lambda: computing(phone), lambda: phone.phone.set_link(False)
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
