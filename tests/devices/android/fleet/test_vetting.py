"""What a device gives is bounded, checked and cleaned where it comes in; who lies gets no job."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.android.fleet.fleet import AndroidFleet, Attachment
from droidloop.devices.android.fleet.vetting import MOST_UW, believed, cleaned, vetted
from droidloop.devices.fleets.device_outputs import LOG, Evidence
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.devices.fleets.work import WrongOutputError
from droidloop.platform.engine import Engine
from droidloop.platform.jobs import Jobs, Kind, Outcome
from droidloop.platform.units import SECOND_US
from tests.contracts.worlds import mixed

ORDER = ModelJob(Path("none"), {}, ["answer"], timeout_s=100)
TOOK = Ran({"answer": np.ones(1)}, 10, np.array([80]), 100, 90, 1 << 20)


@pytest.mark.parametrize(
    ("lie", "said"),
    [
        ({"wall_us": 0, "cpu_us": 2**53}, "cpu_us"),
        ({"cpu_us": -1}, "cpu_us = -1"),
        ({"wall_us": 10**12}, "wall_us"),
        ({"wall_us": -5}, "wall_us = -5"),
        ({"load_us": 2**62}, "load_us"),
        ({"sent_us": -1}, "sent_us"),
        ({"received_us": 2**63}, "received_us"),
        ({"received_bytes": 2**60}, "received_bytes"),
        ({"peak_rss_bytes": -(2**40)}, "peak_rss_bytes"),
        ({"invoke_us": np.array([2**62, 2**62])}, "the least step|all steps"),
        ({"invoke_us": np.array([-(2**62), 5])}, "the least step"),
    ],
)
def test_numbers_that_no_phone_can_measure_fail_the_job(lie: dict[str, Any], said: str) -> None:
    result = vetted(replace(TOOK, **lie), ORDER)
    assert isinstance(result, Failed)
    assert result.outcome is Outcome.FAILED_OUTPUT
    assert re.search(said, result.message)


def test_what_a_phone_can_measure_passes_as_it_is() -> None:
    assert vetted(TOOK, ORDER) is TOOK
    slow = replace(TOOK, wall_us=99 * SECOND_US, cpu_us=150 * SECOND_US)
    assert vetted(slow, ORDER) is slow


def test_a_millisecond_costs_no_more_than_the_start_of_a_program() -> None:
    """844 J were booked for one; 5 s of one core at 4 W are 20 J."""
    assert isinstance(vetted(replace(TOOK, wall_us=1000, cpu_us=6 * SECOND_US), ORDER), Failed)


@pytest.mark.parametrize("power_uw", [-1, -(10**9), MOST_UW + 1, 2**62, None])
def test_a_power_that_no_battery_gives_is_not_believed(power_uw: int | None) -> None:
    assert believed(power_uw) is None


def test_a_power_that_a_battery_gives_is() -> None:
    assert believed(3_000_000) == 3_000_000


def test_what_a_phone_says_has_no_controls() -> None:
    said = vetted(Failed(Outcome.FAILED_RUNNER, "no\nmemory\x1b[2J\a", "a\x1b]0;x\x07\nb\n"), ORDER)
    assert isinstance(said, Failed)
    assert said.message.isprintable()
    assert said.log.split("\n") == ["a\\x1b]0;x\\x07", "b", ""]
    assert len(cleaned("x" * 10**7)) < 10**5


class Liar:
    """Gives what nobody believes."""

    def __init__(self) -> None:
        self.jobs = 0

    def run(self, job: ModelJob) -> Result:
        self.jobs += 1
        return replace(TOOK, outputs={"answer": np.zeros(1)})

    def clean(self) -> None:
        pass


class Golden:
    """Work that knows the answer."""

    def order(self, k: int) -> ModelJob:
        return ORDER

    def accept(self, k: int, outputs: Any) -> None:
        if outputs["answer"][0] != 1:
            raise WrongOutputError("not the golden output\x1b[31m\nforged line")


def test_a_device_that_lies_thrice_gets_no_job_any_more(tmp_path: Path) -> None:
    engine, population, liar = Engine(), mixed(2), Liar()
    devices = [Attachment("liar", 0, liar)]
    fleet = AndroidFleet(engine, population, devices, Evidence(tmp_path, lambda row: None))
    outcomes = []
    for k in range(6):
        plan_us = k * 1000 * SECOND_US
        jobs = Jobs.plan(
            np.zeros(1, np.int64),
            kind=Kind.TRAIN,
            plan_us=plan_us,
            first=k,
            deadline_us=plan_us + 900 * SECOND_US,
            up_bytes=5,
        )
        fleet.run(jobs, Golden())
        outcomes.append(int(jobs["outcome"][0]))
    assert liar.jobs == 3
    assert set(outcomes) == {Outcome.FAILED_OUTPUT}
    log = (tmp_path / LOG).read_text()
    assert "liar: gave wrong outputs before and gets no job in this run from now on" in log
    assert all(line.isprintable() for line in log.splitlines())
    assert not [line for line in log.splitlines() if line.startswith("forged")]
