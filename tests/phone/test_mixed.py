"""Two QEMU phones in the rounds of a run: package, LiteRT, training, update and faults."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.adb import Adb
from droidloop.devices.android.bundle_runner import BundleRunner
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.fleet import Attachment
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import read
from droidloop.scenarios.load import load
from droidloop.scenarios.run import execute
from tests.scenarios.test_mixed import ALONE, table_of
from tests.scenarios.test_run import digest

from .conftest import Attached, attach
from .image import CACHE
from .made import bundle
from .qemu import free_port, start

pytestmark = [pytest.mark.phone, pytest.mark.slow]

LONG = ("training.epochs=400", "protocol.rounds=2")
"""Training that takes a phone some seconds, so that something can happen meanwhile."""


@pytest.fixture(scope="module", autouse=True)
def _kept_steps() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(CACHE / "cache"))  # training steps take long to export
        yield


def play(
    folder: Path,
    attached: list[Attached],
    settings: tuple[str, ...] = (),
    replay: Path | None = None,
) -> Path:
    """Run the scenario with *attached* in the place of its phones; return its directory."""
    file = folder.with_suffix(".toml")
    file.write_text(ALONE)
    runners = [BundleRunner(one.device(), bundle("x86_64"), grace_s=3.0) for one in attached]
    for runner in runners:
        runner.install()
    devices = [
        Attachment(one.connection.serial, k, runner, wait=one.connection.wait)
        for k, (one, runner) in enumerate(zip(attached, runners, strict=True))
    ]
    try:
        execute(
            load(file, settings), folder, replay=replay, progress=lambda *_: None, devices=devices
        )
    finally:
        for one, runner in zip(attached, runners, strict=True):
            with suppress(AndroidError):  # that one is gone for good
                one.connection.wait(10.0)
                runner.clean()
    return folder


def training_outcomes(run: Path, phone: int) -> list[int]:
    rows = np.sort(read(run, "jobs"), order="job")
    mine = rows[(rows["phone"] == phone) & (rows["kind"] == Kind.TRAIN)]
    return [int(code) for code in mine["outcome"]]


def test_two_phones_alone_give_the_hosts_model_and_a_replay_the_same_bytes(
    pair: tuple[Attached, Attached], tmp_path: Path
) -> None:
    host = play(tmp_path / "host", [])
    phones = play(tmp_path / "phones", list(pair))
    np.testing.assert_allclose(table_of(phones), table_of(host), rtol=0, atol=1e-5)
    rows = read(phones, "jobs")
    assert rows["measured"].all()
    assert set(rows["outcome"].tolist()) == {Outcome.DONE}
    assert set(rows["kind"].tolist()) == {Kind.TRAIN, Kind.DELIVER, Kind.INFER}
    measures = read(phones, "measures")
    for name in ("sent_bytes", "sent_us", "cpu_us", "received_us"):
        assert (measures[name] > 0).all(), name
    assert digest(play(tmp_path / "replay", [], replay=phones)) == digest(phones)
    for one in pair:
        assert one.listing() == []


def during_training(attached: Attached, harm: Callable[[], None]) -> threading.Thread:
    """Do *harm* as soon as a job's program runs on the phone."""

    def watch() -> None:
        deadline = time.monotonic() + 300
        while time.monotonic() < deadline:
            with suppress(AndroidError):
                found = attached.connection.shell(["sh", "-c", "pidof ld-linux-x86-64.so.2"])
                if found.exit_code == 0:
                    harm()
                    return
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def test_a_phone_that_dies_in_a_round_ends_its_jobs_and_nobody_elses(
    adb: Adb, other: Attached, tmp_path: Path
) -> None:
    machine = start("t1", free_port(), memory_mib=512)
    doomed = attach(adb, machine)
    try:
        harm = during_training(doomed, machine.kill)
        run = play(tmp_path / "run", [doomed, other], LONG)
        harm.join()
    finally:
        machine.kill()
        adb.disconnect(machine.serial)
    first, second = training_outcomes(run, 0)
    assert first in (Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE)
    assert second == Outcome.FAILED_OFFLINE
    assert training_outcomes(run, 1) == [Outcome.DONE, Outcome.DONE]
    assert other.listing() == []


def test_an_adb_server_killed_in_a_round_is_back_for_the_next(
    adb: Adb, pair: tuple[Attached, Attached], tmp_path: Path
) -> None:
    def kill() -> None:
        process = adb.server_pid
        assert process is not None
        os.kill(process, signal.SIGKILL)

    harm = during_training(pair[0], kill)
    run = play(tmp_path / "run", list(pair), LONG)
    harm.join()
    outcomes = [training_outcomes(run, phone) for phone in (0, 1)]
    assert Outcome.FAILED_LINK in (outcomes[0][0], outcomes[1][0])
    assert [mine[1] for mine in outcomes] == [Outcome.DONE, Outcome.DONE]
    for one in pair:
        assert one.listing() == []
