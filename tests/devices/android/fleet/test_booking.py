"""What the laws say of a job that a device did is what its calibration says."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.android.fleet.booking import StepLaw, modelled
from droidloop.devices.android.probing.latency_law import Law, Point
from droidloop.devices.fleets.model_job import ModelJob
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import HOUR_US
from tests.contracts.worlds import steady

LAW = Law(9_000.0, 0.002, 0.0005, us_per_step=300.0, us_per_cell=0.004)
STEPS = StepLaw(300.0, 4.0)
CALIBRATED: dict[str, Any] = {
    "process_start_us": 9_000,
    "flops_per_s": 2_000_000_000,
    "memory_bytes_per_s": 10**12,
    "storage_bytes_per_s": 500_000_000,
    "operator_ns": 8_000,
}


@pytest.mark.parametrize("kind", [Kind.INFER, Kind.DELIVER])
@pytest.mark.parametrize("alive_until_us", [0, HOUR_US])
def test_it_starts_a_process_and_computes_as_calibrated(kind: Kind, alive_until_us: int) -> None:
    population = steady("wifi", **CALIBRATED)
    population.state["process_until_us"] = alive_until_us
    row = Jobs.plan(
        np.array([0]),
        kind=kind,
        plan_us=0,
        first=0,
        flops=40_000_000,
        moved_bytes=8_000_000,
        operators=7,
        load_bytes=1_000_000,
    ).rows[0]
    law = modelled(population, row, ModelJob(Path("none"), {}, []), STEPS)
    took_us = int(law["compute_end_us"] - law["down_end_us"])
    assert took_us == LAW.predict_us(Point("", 1, 1_000_000, 40_000_000, 0, (1,))) == 31_000
    assert int(population.state["process_until_us"][0]) == alive_until_us


def test_training_takes_the_steps_that_were_calibrated(tmp_path: Path) -> None:
    model = tmp_path / "step.tflite"
    model.write_bytes(bytes(50_000))
    inputs = {"rows": np.zeros((256, 16)), "slots": np.zeros((1, 320))}
    order = ModelJob(model, inputs, [], feedback={"rows": "rows"}, steps=8)
    row = Jobs.plan(
        np.array([0]), kind=Kind.TRAIN, plan_us=0, first=0, flops=10, operators=99
    ).rows[0]
    law = modelled(steady("wifi", **CALIBRATED), row, order, STEPS)
    expected_us = LAW.predict_us(Point("", 8, 50_000, 0, 8 * 256 * 320, (1,)))
    assert int(law["compute_end_us"] - law["down_end_us"]) == pytest.approx(expected_us, abs=2)


def test_a_simulated_phone_wakes_up_and_a_device_is_awake() -> None:
    population = steady("wifi", **CALIBRATED)
    row = Jobs.plan(np.array([0]), kind=Kind.INFER, plan_us=0, first=0, load_bytes=0).rows[0]
    simulated = modelled(population, row)
    device = modelled(population, row, ModelJob(Path("none"), {}, []))
    assert int(device["compute_end_us"] - device["down_end_us"]) == 9_000
    assert int(simulated["compute_end_us"] - simulated["down_end_us"]) > 9_000
