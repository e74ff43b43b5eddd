"""What a device can do, measured: link, memory, and a law of latency that predicts other models.

The law is that of simulated phones: a process starts, reads its model, and computes. It is fitted
to some models and then has to predict those that it has not seen.
"""

import hashlib
import importlib.metadata
import itertools
import os
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.conditions.claim import claimed
from droidloop.devices.android.fleet.attached import AttachedDevice
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo
from droidloop.devices.android.runners.bundle import ROOT, abi_of
from droidloop.devices.android.runners.bundle_cache import kept_bundle
from droidloop.devices.android.runners.bundle_runner import BundleRunner
from droidloop.devices.android.runners.registry import cache_folder
from droidloop.devices.fleets.model_job import ModelJob, Ran, Runner
from droidloop.devices.population.profile_files import NAME_BYTES
from droidloop.devices.population.profiles import GIB, PROFILES, Profile
from droidloop.models.packages.export import FLOAT, convert
from droidloop.models.packages.exportable import scoring
from droidloop.platform.arrays import FloatArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DeviceError, UsageError

FITTED = ((500, 32), (2_000, 64), (8_000, 64), (16_000, 32))
HELD_OUT = ((1_000, 48), (4_000, 48), (12_000, 64))
"""Items and dimension of the scorers that the law is fitted to, and of those that it predicts."""

STEPS = (1, 5, 25)
REPEATS = 6
LINK_BYTES = 8_000_000
_EXPORT_S = 600.0


@dataclass(frozen=True)
class Point:
    """One workload: what it takes by the law's terms, and what the device took."""

    items: int
    dim: int
    steps: int
    load_bytes: int
    flops: int
    measured_us: float


@dataclass(frozen=True)
class Law:
    """latency = start + load_bytes / load rate + flops / flop rate; shares of 1 us each."""

    start_us: float
    us_per_load_byte: float
    us_per_flop: float

    def predict_us(self, point: Point) -> float:
        """Return the latency of *point*."""
        return (
            self.start_us
            + self.us_per_load_byte * point.load_bytes
            + self.us_per_flop * point.flops
        )


def fit(points: Sequence[Point]) -> Law:
    """Return the law with the least squares of relative errors; no term is negative."""
    terms = np.array([(1.0, point.load_bytes, point.flops) for point in points])
    took = np.array([point.measured_us for point in points])
    scaled = terms / took[:, None]
    best, least = np.zeros(3), np.inf
    for size in (1, 2, 3):
        for chosen in itertools.combinations(range(3), size):
            rates: FloatArray = np.zeros(3)
            rates[list(chosen)] = np.linalg.lstsq(scaled[:, chosen], np.ones(len(took)))[0]
            error = float(np.square(scaled @ rates - 1.0).sum())
            if (rates >= 0).all() and error < least:
                best, least = rates, error
    return Law(*(float(rate) for rate in best))


@dataclass(frozen=True)
class Calibration:
    """What was measured of one device."""

    serial: str
    model: str
    push_bytes_per_s: int
    pull_bytes_per_s: int
    ram_bytes: int
    available_bytes: int
    law: Law
    held_out: tuple[Point, ...]

    @property
    def median_error(self) -> float:
        """The median relative error of predictions for the models that the law has not seen."""
        errors = [abs(self.law.predict_us(p) / p.measured_us - 1.0) for p in self.held_out]
        return float(np.median(errors))

    def lines(self) -> list[str]:
        """Return what people want to read: rates, and predicted against measured latencies."""
        told = [
            f"{self.serial}: {self.model}",
            f"push {self.push_bytes_per_s / 1e6:.1f} MB/s, pull {self.pull_bytes_per_s / 1e6:.1f} "
            f"MB/s, RAM {self.ram_bytes / 2**20:.0f} MiB",
            f"{'items x dim x steps':>24} {'predicted ms':>13} {'measured ms':>12} {'error':>7}",
        ]
        for point in self.held_out:
            name = f"{point.items} x {point.dim} x {point.steps}"
            predicted_us = self.law.predict_us(point)
            times = f"{predicted_us / 1e3:13.2f} {point.measured_us / 1e3:12.2f}"
            told.append(f"{name:>24} {times} {predicted_us / point.measured_us - 1.0:7.1%}")
        told.append(f"median relative error on models not fitted on: {self.median_error:.1%}")
        return told

    def profile(self, base: str) -> Profile:
        """Return the profile of such phones; what was not measured is that of the profile *base*.

        Raises:
            UsageError: there is no profile *base*.
        """
        if base not in PROFILES:
            raise UsageError(f"--base {base}: choose one of {', '.join(PROFILES)}")
        old, law = PROFILES[base], self.law
        flops_per_us = 1.0 / max(law.us_per_flop, 1e-9)
        return replace(
            old,
            name=_profile_name(self.serial),
            model=self.model,
            source=f"measured; battery, currents and storage size of {base}",
            ram_gib=self.ram_bytes / GIB,
            system_ram_gib=(self.ram_bytes - self.available_bytes) / GIB,
            apps_ram_gib=min(old.apps_ram_gib, self.available_bytes / GIB / 2),
            flops_per_cycle=flops_per_us / 1000.0 / old.core_ghz,
            # the time of a computation is all in the law's last term: memory adds none
            memory_gb_per_s=1000.0,
            storage_mb_per_s=max(1, round(1.0 / max(law.us_per_load_byte, 1e-4))),
            process_start_ms=round(law.start_us / 1000),
        )


def calibrate(connection: Connection) -> Calibration:
    """Measure a device; it is left clean.

    Raises:
        DeviceError: it cannot do what is asked, or another run works with it.
        BundleError: there is no bundle for it.
    """
    with claimed(connection):
        return _calibrate(connection)


def _calibrate(connection: Connection) -> Calibration:
    abi = abi_of(connection.run(["getprop", "ro.product.cpu.abi"]).strip())
    memory = parse_proc_meminfo(connection.run(["cat", "/proc/meminfo"]))
    runner = BundleRunner(AttachedDevice(connection), kept_bundle(abi))
    try:
        runner.install()
        push_rate, pull_rate = link_rates(connection)
        points = measure(runner, (*FITTED, *HELD_OUT))
    finally:
        runner.clean()
    available = memory.available_bytes
    return Calibration(
        serial=connection.serial,
        model=connection.run(["getprop", "ro.product.model"]).strip() or "unknown",
        push_bytes_per_s=push_rate,
        pull_bytes_per_s=pull_rate,
        ram_bytes=memory.total_bytes,
        available_bytes=memory.total_bytes // 2 if available is None else available,
        law=fit([point for point in points if (point.items, point.dim) in FITTED]),
        held_out=tuple(point for point in points if (point.items, point.dim) in HELD_OUT),
    )


def measure(runner: Runner, sizes: Sequence[tuple[int, int]]) -> list[Point]:
    """Return a point for each of *sizes* and ``STEPS``: the fastest of ``REPEATS`` processes.

    What else runs on a device only ever adds to a time; all points take turns, so that it adds to
    all of them alike.

    Raises:
        DeviceError: a job fails.
    """
    models = {(items, dim): _model(items, dim) for items, dim in sizes}
    points = [(items, dim, steps) for items, dim in sizes for steps in STEPS]
    fastest_us = np.full(len(points), np.inf)
    for _ in range(REPEATS):
        for k, (items, dim, steps) in enumerate(points):
            user = np.linspace(-1.0, 1.0, dim, dtype=np.float32)[None, :]
            job = ModelJob(models[items, dim], {"user": user}, ["scores"], steps=steps)
            fastest_us[k] = min(fastest_us[k], _wall_us(runner, job))
    return [
        Point(
            items,
            dim,
            steps,
            models[items, dim].stat().st_size,
            2 * items * dim * steps,
            float(fastest_us[k]),
        )
        for k, (items, dim, steps) in enumerate(points)
    ]


def _model(items: int, dim: int) -> Path:
    """Return the scorer of a made table, exported once and kept in ``droidloop``'s cache."""
    version = importlib.metadata.version("litert-torch")
    path = cache_folder().parent / "calibration" / f"{items}x{dim}-{version}.tflite"
    if not path.exists():
        table = Draws(1, "calibrate").normal(np.arange(items)[:, None], np.arange(dim)[None, :])
        model = convert(scoring(table.astype(np.float32)), [FLOAT], _EXPORT_S)[FLOAT]
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(f".{os.getpid()}.part")
        beside.write_bytes(model)
        os.replace(beside, path)
    return path


def _wall_us(runner: Runner, job: ModelJob) -> int:
    result = runner.run(job)
    if not isinstance(result, Ran):
        raise DeviceError(f"calibrate: a model did not run: {result.message}")
    return result.wall_us


def link_rates(connection: Connection) -> tuple[int, int]:
    """Return bytes per second of pushing and of pulling a file, the transfers alone."""
    device, remote = AttachedDevice(connection), f"{ROOT}/link"
    with tempfile.TemporaryDirectory(prefix="droidloop-calibrate-") as folder:
        local, back = Path(folder, "there"), Path(folder, "back")
        block = hashlib.sha256(b"droidloop").digest()
        local.write_bytes((block * (LINK_BYTES // len(block) + 1))[:LINK_BYTES])
        try:
            pushed = device.push(local, remote)
            pulled = device.pull(remote, back, limit_bytes=LINK_BYTES)
        finally:
            connection.run(["rm", "-f", remote])
    return tuple(int(t.bytes_per_s) for t in (pushed, pulled))  # type: ignore[return-value]


def _profile_name(serial: str) -> str:
    """Return a file name made of *serial*; where that is cut, a hash tells it from others."""
    kept = re.sub(r"[^A-Za-z0-9]+", "-", serial).strip("-").lower()
    name = f"device-{kept or 'unknown'}"
    if len(name) <= NAME_BYTES:
        return name
    digest = hashlib.sha256(serial.encode(errors="surrogatepass")).hexdigest()[:6]
    return f"{name[: NAME_BYTES - 7].rstrip('-')}-{digest}"
