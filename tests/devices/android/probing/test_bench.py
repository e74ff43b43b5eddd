"""A model of somebody's own on devices that stand in for phones."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.fleet.attaching import Ready
from droidloop.devices.android.parsers.op_profile import Operator
from droidloop.devices.android.probing import bench as benching
from droidloop.devices.android.probing.bench import Bench, Wish, bench, bench_all, job_of
from droidloop.devices.android.probing.condition import Condition
from droidloop.devices.android.runners.bundle import Bundle
from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.fleets.model_job import Failed, ModelJob, Result
from droidloop.platform.errors import DeviceError, UsageError
from droidloop.platform.jobs import Outcome
from droidloop.scenarios.reports import bench_report
from tests.contracts.runner import normal
from tests.devices.android.fake_adb import FakeDevice
from tests.devices.android.probing.test_condition import phone
from tests.phone.made import models

BUNDLE = Bundle(Path("b"), "x86_64", "LiteRT", "ai-edge-litert", "2.3.0", "0", "0", 0, ())


@pytest.fixture(autouse=True)
def nameless(device: FakeDevice) -> None:
    device.answers["getprop ro.product.model"] = ("\n", "", 0)


@pytest.fixture
def wish() -> Wish:
    return Wish(models() / "scorer_d8.tflite", runs=20, warmup=3)


class Wrong:
    """Gives outputs that are not the host's, or fails."""

    def __init__(self, shift: float | None) -> None:
        self._shift = shift

    def run(self, job: ModelJob) -> Result:
        ran = HostRunner().run(job)
        if self._shift is None or isinstance(ran, Failed):
            return Failed(Outcome.FAILED_MEMORY, "no memory left")
        moved = {name: values + np.float32(self._shift) for name, values in ran.outputs.items()}
        return replace(ran, outputs=moved)

    def clean(self) -> None:
        pass


def measure(connection: Connection, wish: Wish, runner: object) -> Bench:
    job = job_of(wish)
    ready = Ready(connection, runner, BUNDLE, True)  # type: ignore[arg-type]
    return bench(ready, wish, job, HostRunner().run(replace(job, steps=1)))


def test_every_field_is_measured_or_has_a_reason(
    connection: Connection, device: FakeDevice, wish: Wish
) -> None:
    found = measure(connection, wish, HostRunner())
    facts = bench_report.as_json(found)
    assert facts["host_equal"] is True
    assert facts["host_difference"] == 0.0
    assert len(facts["invoke_us"]) == 20
    assert facts["p50_ms"] == np.percentile(facts["invoke_us"], 50) / 1e3
    assert facts["p5_ms"] <= facts["p50_ms"] <= facts["p95_ms"] <= facts["p99_ms"]
    assert min(facts["init_ms"], facts["first_ms"], facts["peak_rss_mib"], facts["cpu_ms"]) > 0
    silent = {name for name, value in facts.items() if value is None}
    assert facts["unknown"].keys() == silent
    assert all(facts["unknown"].values())


def test_a_phone_that_tells_its_battery_tells_the_drain(
    connection: Connection, device: FakeDevice, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone(device)
    charges = iter((2_000_000, 1_999_400))
    monkeypatch.setattr(
        benching,
        "condition_of",
        lambda _: Condition(40.0, False, next(charges), False, 1.0),
    )
    found = measure(connection, wish, HostRunner())
    assert (found.drain_uah, found.drain_shell_mah) == (600, 0.0)
    assert not {"drain_uah", "celsius"} & found.unknown.keys()


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (Condition(charge_uah=9, plugged=True), Condition(charge_uah=8, plugged=True), "charger"),
        (Condition(charge_uah=9, plugged=False), Condition(charge_uah=9, plugged=False), "--runs"),
        (Condition(unknown={"charge_uah": "no counter"}), Condition(), "no counter"),
    ],
)
def test_a_drain_that_is_not_known_has_a_reason(
    before: Condition, after: Condition, why: str
) -> None:
    unknown: dict[str, str] = {}
    assert benching._drain(before, after, unknown)[0] is None
    assert why in unknown["drain_uah"]


def test_other_outputs_than_the_hosts_are_seen(connection: Connection, wish: Wish) -> None:
    found = measure(connection, wish, Wrong(0.5))
    assert found.host_equal is False
    assert found.host_difference == pytest.approx(0.5, abs=1e-3)


def test_a_device_that_fails_is_named(connection: Connection, wish: Wish) -> None:
    with pytest.raises(DeviceError, match=r"phone: scorer_d8\.tflite did not run: no memory left"):
        measure(connection, wish, Wrong(None))


def test_a_device_that_is_not_there_leaves_the_others_alone(
    adb: Adb, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("droidloop.devices.android.emulator.finding.APPEAR_S", 0.1)
    found = bench_all(adb, ["nobody"], wish, [], lambda _: None)
    assert "nobody: not attached" in str(found["nobody"])


def test_inputs_are_given_or_drawn(tmp_path: Path, wish: Wish) -> None:
    user = normal("bench", 1, job_of(wish).inputs["user"].shape[1])
    np.save(tmp_path / "user.npy", user)
    np.save(tmp_path / "wide.npy", np.zeros((1, 3), np.float32))
    (tmp_path / "text.npy").write_text("no array")
    given = job_of(replace(wish, inputs={"user": tmp_path / "user.npy"}))
    assert np.array_equal(given.inputs["user"], user)
    assert given.steps == 23
    for name, file, why in (
        ("user", "wide.npy", "float32 of shape \\(1, 3\\); the model wants float32"),
        ("user", "text.npy", "not an array of numpy"),
        ("users", "user.npy", "--input users: the model's inputs are user"),
    ):
        with pytest.raises(UsageError, match=why):
            job_of(replace(wish, inputs={name: tmp_path / file}))


def test_operators_are_listed_by_what_they_took(connection: Connection, wish: Wish) -> None:
    """Those that benchmark_model tells; the bundle says why it has none."""
    one = measure(connection, wish, HostRunner())
    assert bench_report.as_json(one)["unknown"]["operators"].startswith("not asked for; --profile")
    operators = tuple(Operator(f"OP [{n}]", f"[out]:{n}", 10.0 * n, float(n), 1) for n in range(12))
    console = Console(record=True, width=120)
    bench_report.show("m", [replace(one, operators=operators)], console)
    told = console.export_text()
    assert "10 of 12 operators, the slowest" in told
    assert told.index("OP [11]") < told.index("OP [2]")
    assert "OP [1] " not in told


def test_what_is_no_model_is_said(tmp_path: Path, wish: Wish) -> None:
    (tmp_path / "a.tflite").write_bytes(b"nothing")
    with pytest.raises(UsageError, match=r"a\.tflite: not a model that LiteRT can run"):
        job_of(replace(wish, model=tmp_path / "a.tflite"))


def test_a_table_and_a_picture_hold_each_device(
    connection: Connection, wish: Wish, tmp_path: Path
) -> None:
    rows = [measure(connection, wish, HostRunner())]
    bench_report.write_csv(rows, tmp_path / "b.csv")
    head, line = (tmp_path / "b.csv").read_text().splitlines()
    assert head.split(",")[:3] == ["serial", "device", "runtime"]
    assert line.startswith("phone,unknown,LiteRT 2.3.0,20,1,all,")
    bench_report.draw("m", rows, tmp_path / "b.png")
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG")
    for write in (bench_report.write_csv, lambda r, p: bench_report.draw("m", r, p)):
        with pytest.raises(UsageError, match="cannot be written"):
            write(rows, tmp_path / "no" / "such" / "folder")
