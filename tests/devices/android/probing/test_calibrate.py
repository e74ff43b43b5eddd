"""What is measured of a device becomes a profile; what fails is left out and named."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.android.probing.calibrate import REPEATS, Calibration, Workload, measure
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Result
from droidloop.devices.population.profile_files import read_profile, write_profile
from droidloop.platform.errors import UsageError
from droidloop.platform.jobs import Outcome
from tests.devices.android.probing.test_latency_law import TRUE, points


def calibration() -> Calibration:
    made = tuple(points(0.1))
    return Calibration(
        "127.0.0.1:5",
        "a phone",
        20_000_000,
        10_000_000,
        2**30,
        2**29,
        TRUE,
        made[:4],
        made[4:],
        (1_500_000, 2_000_000),
        {"12 x 8 x 1": "no memory left"},
    )


def test_people_read_how_well_it_predicts_and_what_was_left_out() -> None:
    lines = calibration().lines()
    assert sum("that was not fitted on: " in line for line in lines) == 2
    assert "left out: 12 x 8 x 1: no memory left" in lines
    assert "battery: 1500 mW left it before, 2000 mW after" in lines


def test_all_points_are_kept_with_samples_and_percentiles(tmp_path: Path) -> None:
    found = calibration()
    told = json.loads(found.save(tmp_path).read_text())
    assert [point["held_out"] for point in told["points"]] == [False] * 4 + [True] * 8
    first = told["points"][0]
    assert first["samples_us"] == list(found.fitted[0].samples_us)
    assert first["p50_us"] == np.median(first["samples_us"])
    assert told["law"]["us_per_step"] == TRUE.us_per_step


def test_a_profile_computes_as_the_law_does_and_is_read_again(tmp_path: Path) -> None:
    profile = calibration().profile("2018-4gb")
    assert profile.name == "device-127-0-0-1-5"
    assert profile.flops_per_s == pytest.approx(1e6 / TRUE.us_per_flop, rel=1e-6)
    assert profile.process_start_us == 9_000
    assert profile.storage_mb_per_s == 500
    assert profile.ram_bytes == 2**30
    assert (profile.step_us, profile.cell_ns) == (300.0, 4.0)
    path = write_profile(profile, tmp_path)
    assert read_profile(path) == profile
    old = [line for line in path.read_text().splitlines() if not line.startswith(("step", "cell"))]
    path.write_text("\n".join(old))  # as it was written before these were measured
    assert read_profile(path) == replace(profile, step_us=0.0, cell_ns=0.0)
    with pytest.raises(UsageError, match="--base nokia: choose one of 2017-2gb"):
        calibration().profile("nokia")


def test_profiles_of_devices_with_long_serials_are_told_apart() -> None:
    """Both names were cut at 24 characters to one."""
    addresses = [f"adb-R58M12345-{end}._adb-tls-connect._tcp" for end in ("abcdef", "abcdeg")]
    names = [replace(calibration(), serial=one).profile("2018-4gb").name for one in addresses]
    assert len(set(names)) == 2
    assert all(len(name) <= 24 and name.startswith("device-adb-r58m12") for name in names)


class Counting:
    """Takes a microsecond more each time, and never has memory for three steps."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def run(self, job: ModelJob) -> Result:
        self.done.append(job.steps)
        if job.steps == 3:
            return Failed(Outcome.FAILED_MEMORY, "no memory left")
        return Ran({}, 1, np.ones(job.steps, np.int64), 100 + len(self.done), 1, 1)

    def clean(self) -> None:
        pass


def test_what_fails_is_left_out_and_all_others_take_turns() -> None:
    workloads = [
        Workload(f"w{steps}", ModelJob(Path("m"), {}, [], steps=steps), 10, 20, 0, False)
        for steps in (1, 2, 3)
    ]
    runner, said = Counting(), list[str]()
    found, failed = measure(runner, workloads, said.append)
    assert failed == {"w3": "no memory left"}
    assert runner.done == [1, 2, 3, *[1, 2] * (REPEATS - 1)]
    assert [point.name for point in found] == ["w1", "w2"]
    assert len(found[0].samples_us) == REPEATS
    assert said[:2] == ["turn 1 of 6: 3 workloads", "turn 2 of 6: 2 workloads"]
