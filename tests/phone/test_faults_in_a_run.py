"""Everything that goes wrong on a real adbd, one fault a round: the run goes on without it.

Phone 0 meets with a fault in most of its jobs, phone 1 with none; phone 2 dies in its first job;
phone 3 is simulated.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.conditions.conditions import restore_pending
from droidloop.devices.android.conditions.undo import is_frozen
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.fleet import fleet
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.platform.jobs import Kind, Outcome
from droidloop.platform.ledger import Rows, read

from . import harm
from .conftest import Attached, attach
from .harm import Harm, HarmedRunner
from .made import models
from .playing import kept_models, play
from .qemu import free_port, start

pytestmark = [pytest.mark.phone, pytest.mark.slow]

BIG_BYTES = 120_000_000
"""Of a file whose push takes some seconds."""

LINK_CUT, ADBD_KILLED, FULL, MEMORY, STOPPED, SERVER_KILLED, NONE = range(7)
"""Rounds by what happens to phone 0 in them."""


def big(job: ModelJob) -> ModelJob:
    """Return *job* with a model that is followed by a hundred million zeros."""
    assert isinstance(job.model, Path)
    path = job.model.with_name("big.tflite")
    path.write_bytes(job.model.read_bytes())
    with path.open("r+b") as file:
        file.truncate(BIG_BYTES)
    return replace(job, model=path)


def hungry(job: ModelJob) -> ModelJob:
    """Return another job, which needs a gibibyte."""
    return ModelJob(
        *(models() / "hungry.tflite", {"x": np.ones(1, np.float32)}, ["y"]), timeout_s=60
    )


def impatient(job: ModelJob) -> ModelJob:
    """Return *job* with more steps than the time given allows."""
    return replace(harm.long(job), timeout_s=3)


FAULTS = {
    LINK_CUT: Harm(harm.cut_link, harm.pushing, harm.mend_link, big),
    ADBD_KILLED: Harm(harm.kill_adbd, harm.pushing, job=big),
    FULL: Harm(harm.fill_storage, undo=harm.empty_storage, job=big),
    MEMORY: Harm(harm.promise_memory, undo=harm.have_memory, job=hungry),
    STOPPED: Harm(harm.stand_still, harm.computing, job=impatient),
    SERVER_KILLED: Harm(harm.kill_server, harm.computing, job=harm.long),
}
DEATH = Harm(harm.kill_phone, harm.computing, job=harm.long)


@dataclass(frozen=True)
class Faults:
    """A run with all faults, and what is left on the phones after it.

    Attributes:
        run: its directory.
        runners: of the phones, with what became of their jobs.
        left: names of files on each phone that lives.
        frozen: whether it still shows a battery that was imposed.
    """

    run: Path
    runners: list[HarmedRunner]
    left: list[list[str]]
    frozen: list[bool]

    def training(self, phone: int) -> list[int]:
        """Return the outcomes of the training jobs of *phone*, one a round."""
        return [int(code) for code in self.rows(phone, Kind.TRAIN)["outcome"]]

    def rows(self, phone: int, *kinds: Kind) -> Rows:
        """Return the jobs of *phone* in order."""
        rows = np.sort(read(self.run, "jobs"), order="job")
        mine: Rows = rows[(rows["phone"] == phone) & np.isin(rows["kind"], kinds)]
        return mine

    def result(self, number: int) -> Result:
        """Return what became of job *number* of phone 0."""
        return self.runners[0].results[number]


@pytest.fixture(scope="module")
def faults(
    adb: Adb, pair: tuple[Attached, Attached], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Faults]:
    folder = tmp_path_factory.mktemp("faults")
    settings = ("population.phones=4", f"protocol.rounds={len(FAULTS) + 1}")
    machine = start("t1", free_port(), memory_mib=512)
    with kept_models(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "BACK_S", 8.0)
        patch.setattr(fleet, "STILL_GONE_S", 0.2)
        try:
            phones = [*pair, attach(adb, machine)]
            harms = {0: FAULTS, 2: {0: DEATH}}
            run, runners = play(folder / "run", phones, settings, harms=harms)
        finally:
            machine.kill()
            with suppress(AndroidError):
                adb.disconnect(machine.serial)
        for one in pair:
            one.mend()
        restore_pending(adb)  # as the next run does
        yield Faults(
            run,
            runners,
            [one.listing() for one in pair],
            [is_frozen(one.connection) for one in pair],
        )


@pytest.mark.parametrize(
    ("round_", "outcomes"),
    [
        (LINK_CUT, {Outcome.FAILED_TIMEOUT, Outcome.FAILED_LINK}),
        (ADBD_KILLED, {Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE}),
        (FULL, {Outcome.FAILED_STORAGE}),
        (MEMORY, {Outcome.FAILED_MEMORY}),
        (STOPPED, {Outcome.FAILED_TIMEOUT}),
        (SERVER_KILLED, {Outcome.FAILED_LINK}),
        (NONE, {Outcome.DONE}),
    ],
)
def test_a_fault_fails_the_job_of_its_round_with_its_cause(
    faults: Faults, round_: int, outcomes: set[Outcome]
) -> None:
    assert faults.training(0)[round_] in outcomes
    result = faults.result(round_)
    assert isinstance(result, Ran if round_ == NONE else Failed)


def test_the_cause_is_told_to_people(faults: Faults) -> None:
    log = (faults.run / "devices.log").read_text()
    for number in FAULTS:
        result = faults.result(number)
        assert isinstance(result, Failed)
        assert f"on phone 0: {result.message}\n" in log
    assert faults.result(MEMORY) == Failed(
        Outcome.FAILED_MEMORY, "the runner was killed (137): out of memory"
    )
    assert faults.result(STOPPED) == Failed(
        Outcome.FAILED_TIMEOUT, "the runner did not finish in 3 s and was ended"
    )


def test_a_phone_that_dies_in_training_is_lost_from_then_on(faults: Faults) -> None:
    first, *others = faults.training(2)
    assert first in (Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE)
    assert set(others) == {Outcome.FAILED_OFFLINE}
    assert faults.rows(2, Kind.DELIVER)["outcome"].tolist() == [Outcome.FAILED_OFFLINE]
    assert len(faults.rows(2, Kind.INFER)) == 0


def test_a_simulated_phone_is_not_touched(faults: Faults) -> None:
    rows = faults.rows(3, Kind.TRAIN, Kind.DELIVER, Kind.INFER)
    assert len(rows) == len(FAULTS) + 3
    assert set(rows["outcome"].tolist()) == {Outcome.DONE}
    assert not rows["measured"].any()


def test_another_device_is_touched_by_the_end_of_its_server_alone(faults: Faults) -> None:
    rows = faults.rows(1, Kind.TRAIN, Kind.DELIVER, Kind.INFER)
    assert len(rows) == len(FAULTS) + 3
    assert rows["measured"].all()
    with_server = np.delete(rows["outcome"], SERVER_KILLED)
    assert set(with_server.tolist()) == {Outcome.DONE}
    lost = {Outcome.DONE, Outcome.FAILED_LINK, Outcome.FAILED_OFFLINE}  # done before, or not
    assert rows["outcome"][SERVER_KILLED] in lost


def test_the_phone_is_of_use_again(faults: Faults) -> None:
    """It trains in the round after all faults, gets the package and computes its list."""
    for kind in (Kind.DELIVER, Kind.INFER):
        assert faults.rows(0, kind)["outcome"].tolist() == [Outcome.DONE], kind


def test_the_run_ends_as_any_other_and_the_phones_are_clean(faults: Faults) -> None:
    assert (faults.run / "package").is_dir()
    assert len(read(faults.run, "devices")) == 4
    assert faults.left == [[], []]
    assert faults.frozen == [False, False]
