"""What a device can do, measured: link, memory, inference and training, and a law that predicts.

The law is fitted to some models and then has to predict those that it has not seen.
"""

import hashlib
import importlib.metadata
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from droidloop.devices.android.adb.connection import Connection
from droidloop.devices.android.fleet.attached import AttachedDevice
from droidloop.devices.android.fleet.attaching import Ready, Say, meter_of
from droidloop.devices.android.parsers.proc_meminfo import parse_proc_meminfo
from droidloop.devices.android.runners.bundle import ROOT
from droidloop.devices.android.runners.registry import cache_folder
from droidloop.devices.fleets.model_job import ModelJob, Ran, Runner
from droidloop.devices.population.profile_files import NAME_BYTES
from droidloop.devices.population.profiles import GIB, PROFILES, Profile
from droidloop.models.learning.device_step import BY_STEP
from droidloop.models.packages.export import convert
from droidloop.models.packages.exportable import scoring
from droidloop.models.packages.packing import FLOAT
from droidloop.models.packages.step_export import FEEDBACK, StepShape, TrainingModels
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DeviceError, UsageError

from .latency_law import Law, Point, fit

FITTED = ((500, 32), (2_000, 64), (8_000, 64), (16_000, 32))
HELD_OUT = ((1_000, 48), (4_000, 48), (12_000, 64))
"""Items and dimension of the scorers that the law is fitted to, and of those that it predicts."""

FITTED_STEPS = ((256, 64), (1_024, 128))
HELD_OUT_STEPS = ((512, 64), (512, 128))
"""Rows and items a batch of the training steps, likewise."""

STEPS = (1, 5, 25)
TRAINED = (2, 8)
REPEATS = 6
LINK_BYTES = 8_000_000
PERCENTILES = (5, 50, 95, 99)
_EXPORT_S = 600.0
_DIM, _WIDTH = 16, 5  # of the training steps: an item and four negatives


@dataclass(frozen=True)
class Workload:
    """A job whose time is measured, what the law takes of it, and whether it is held out."""

    name: str
    job: ModelJob
    load_bytes: int
    flops: int
    cells: int
    held_out: bool


@dataclass(frozen=True)
class Calibration:
    """What was measured of one device.

    Attributes:
        battery_uw: the power that left the battery, before and after; None where not told.
        failed: why workloads were left out, by their names.
    """

    serial: str
    model: str
    push_bytes_per_s: int
    pull_bytes_per_s: int
    ram_bytes: int
    available_bytes: int
    law: Law
    fitted: tuple[Point, ...]
    held_out: tuple[Point, ...]
    battery_uw: tuple[int, int] | None
    failed: Mapping[str, str]

    def lines(self) -> list[str]:
        """Return what people want to read: rates, and predicted against measured latencies."""
        told = [
            f"{self.serial}: {self.model}",
            f"push {self.push_bytes_per_s / 1e6:.1f} MB/s, pull {self.pull_bytes_per_s / 1e6:.1f} "
            f"MB/s, RAM {self.ram_bytes / 2**20:.0f} MiB",
            f"{'held out':>32} {'predicted ms':>13} {'measured ms':>12} {'error':>7}",
        ]
        for point in self.held_out:
            predicted_us = self.law.predict_us(point)
            times = f"{predicted_us / 1e3:13.2f} {point.measured_us / 1e3:12.2f}"
            told.append(f"{point.name:>32} {times} {predicted_us / point.measured_us - 1.0:7.1%}")
        for trains, what in ((False, "inference"), (True, "training")):
            points = [point for point in self.held_out if point.trains is trains]
            if points:
                error = self.law.median_error(points)
                told.append(f"median relative error of {what} that was not fitted on: {error:.1%}")
        if self.battery_uw is None:
            told.append("battery: it tells no power that leaves it")
        else:
            before, after = (power / 1e3 for power in self.battery_uw)
            told.append(f"battery: {before:.0f} mW left it before, {after:.0f} mW after")
        told += [f"left out: {name}: {why}" for name, why in self.failed.items()]
        return told

    def save(self, folder: Path) -> Path:
        """Write all points with their samples and percentiles to a JSON file; return its path."""
        points = [
            {
                "name": point.name,
                "held_out": point in self.held_out,
                "steps": point.steps,
                "load_bytes": point.load_bytes,
                "flops": point.flops,
                "cells": point.cells,
                "samples_us": point.samples_us,
                **{f"p{q}_us": float(np.percentile(point.samples_us, q)) for q in PERCENTILES},
                "predicted_us": self.law.predict_us(point),
            }
            for point in (*self.fitted, *self.held_out)
        ]
        told = {
            **{name: getattr(self, name) for name in ("serial", "model", "push_bytes_per_s")},
            "pull_bytes_per_s": self.pull_bytes_per_s,
            "battery_uw": self.battery_uw,
            "law": self.law.__dict__,
            "points": points,
            "failed": dict(self.failed),
        }
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{_profile_name(self.serial)}.json"
        path.write_text(json.dumps(told, indent=1) + "\n")
        return path

    def profile(self, base: str) -> Profile:
        """Return the profile of such phones; what was not measured is that of the profile *base*.

        Raises:
            UsageError: there is no profile *base*.
        """
        require_base(base)
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
            step_us=round(law.us_per_step, 3),
            cell_ns=round(1000.0 * law.us_per_cell, 6),
        )


def require_base(base: str) -> None:
    """Return if there is a profile *base*.

    Raises:
        UsageError: there is none.
    """
    if base not in PROFILES:
        raise UsageError(f"--base {base}: choose one of {', '.join(PROFILES)}")


def calibrate(ready: Ready, workloads: Sequence[Workload], say: Say) -> Calibration:
    """Measure a device with *workloads*; those that fail are left out.

    Raises:
        DeviceError: it goes away, or nothing is left to fit a law to.
    """
    connection = ready.connection
    memory = parse_proc_meminfo(connection.run(["cat", "/proc/meminfo"]))
    push_rate, pull_rate = link_rates(connection)
    meter = meter_of(connection)
    before_uw = None if meter is None else meter()
    points, failed = measure(ready.runner, workloads, say)
    after_uw = None if meter is None else meter()
    held = {workload.name for workload in workloads if workload.held_out}
    fitted = tuple(point for point in points if point.name not in held)
    if sum(not point.trains for point in fitted) < 3:
        why = next(iter(failed.values()), "no model was fitted on")
        raise DeviceError(f"{connection.serial}: too few models ran for a law: {why}")
    available = memory.available_bytes
    return Calibration(
        serial=connection.serial,
        model=connection.run(["getprop", "ro.product.model"]).strip() or "unknown",
        push_bytes_per_s=push_rate,
        pull_bytes_per_s=pull_rate,
        ram_bytes=memory.total_bytes,
        available_bytes=memory.total_bytes // 2 if available is None else available,
        law=fit(fitted),
        fitted=fitted,
        held_out=tuple(point for point in points if point.name in held),
        battery_uw=None if before_uw is None or after_uw is None else (before_uw, after_uw),
        failed=failed,
    )


def all_workloads() -> list[Workload]:
    """Return what devices are measured with; models are exported once and kept in the cache."""
    return [*_inferences(), *_trainings()]


def measure(
    runner: Runner, workloads: Sequence[Workload], say: Say = lambda _: None
) -> tuple[list[Point], dict[str, str]]:
    """Return a point for each of *workloads* that ran ``REPEATS`` times, and why others did not.

    All take turns, so that what else runs on the device adds to all of them alike.
    """
    samples: dict[str, list[int]] = {workload.name: [] for workload in workloads}
    failed: dict[str, str] = {}
    for repeat in range(REPEATS):
        say(f"turn {repeat + 1} of {REPEATS}: {len(workloads) - len(failed)} workloads")
        for workload in workloads:
            if workload.name in failed:
                continue
            result = runner.run(workload.job)
            if isinstance(result, Ran):
                samples[workload.name].append(result.wall_us)
            else:
                failed[workload.name] = result.message
    return [
        Point(
            one.name,
            one.job.steps,
            one.load_bytes,
            one.flops,
            one.cells,
            tuple(samples[one.name]),
        )
        for one in workloads
        if one.name not in failed
    ], failed


def _inferences() -> Iterator[Workload]:
    for items, dim in (*FITTED, *HELD_OUT):
        model = _model(items, dim)
        user = np.linspace(-1.0, 1.0, dim, dtype=np.float32)[None, :]
        for steps in STEPS:
            yield Workload(
                f"{items} x {dim} x {steps}",
                ModelJob(model, {"user": user}, ["scores"], steps=steps),
                model.stat().st_size,
                2 * items * dim * steps,
                0,
                (items, dim) in HELD_OUT,
            )


def _trainings() -> Iterator[Workload]:
    models = TrainingModels(cache_folder().parent / "steps")
    for rows, group in (*FITTED_STEPS, *HELD_OUT_STEPS):
        shape = StepShape("log", _DIM, rows, group, _WIDTH)
        model, size = models.path(shape), np.arange(shape.batch)
        draws = Draws(1, "calibrate.train")
        inputs = {
            "rows": draws.normal(np.arange(rows)[:, None], np.arange(_DIM)[None, :]),
            "user": draws.normal(np.arange(_DIM)[None, :], -1),
            "slots": draws.integers(size, 0, rows)[None, :],
            "labels": (size % _WIDTH == 0)[None, :],
            "mask": np.ones((1, shape.batch)),
            "rates": np.array([0.01, 0.01, 0.0]),
        }
        kinds = {"slots": np.int32}
        typed = {name: a.astype(kinds.get(name, np.float32)) for name, a in inputs.items()}
        for steps in TRAINED:
            yield Workload(
                f"train {rows} x {shape.batch} x {steps}",
                ModelJob(
                    model, typed, list(FEEDBACK), by_step=BY_STEP, feedback=FEEDBACK, steps=steps
                ),
                model.stat().st_size,
                0,
                rows * shape.batch * steps,
                (rows, group) in HELD_OUT_STEPS,
            )


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
