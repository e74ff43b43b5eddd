"""Somebody's own model on devices: how long, how much memory, how warm, and the right answer?"""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.errors import AndroidError
from droidloop.devices.android.fleet.attached import AttachedDevice
from droidloop.devices.android.fleet.attaching import Ready, Say, all_ready, property_of
from droidloop.devices.android.parsers.op_profile import Operator
from droidloop.devices.android.runners.benchmark import BenchmarkRunner, Extra, signature_of
from droidloop.devices.android.runners.host_runner import HostRunner
from droidloop.devices.android.runners.registry import BundleError
from droidloop.devices.fleets.model_job import Failed, ModelJob, Ran, Runner
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import DeviceError, UsageError

from .condition import Condition, condition_of, heat_of

POLL_S = 2.0
PERCENTILES = (5, 50, 95, 99)


@dataclass(frozen=True)
class Wish:
    """What is to be measured.

    Attributes:
        model: the ``.tflite`` file.
        signature: of the model; None takes its first.
        runs: measured inferences, after *warmup* others in the same process.
        threads: of the runtime.
        cores: that it keeps to; none: all.
        inputs: files of arrays (``.npy``) by the names of inputs; others are drawn.
        timeout_s: for all of it.
        tool: a ``benchmark_model`` that measures in place of droidloop's bundle.
        delegate, profile: of the tool alone: see its ``Extra``.
    """

    model: Path
    signature: str | None = None
    runs: int = 100
    warmup: int = 10
    threads: int = 1
    cores: tuple[int, ...] = ()
    inputs: Mapping[str, Path] = field(default_factory=dict)
    timeout_s: int = 600
    tool: Path | None = None
    delegate: str | None = None
    profile: bool = False


@dataclass(frozen=True)
class Bench:
    """What a device took for a model; None where it is not known, for the reason in *unknown*.

    Attributes:
        invoke_us: of each measured inference, in their order.
        init_us: from the start of the process until the model can be invoked.
        first_us: of the very first inference.
        percentiles_us: of the measured inferences, by number.
        peak_rss_bytes: the most memory that the process held.
        before, during, after: the device's condition; *during* has heat alone.
        drain_uah: what left the battery meanwhile, by its charge counter.
        drain_shell_mah: the same of adb's user by Android's model: no measurement.
        host_difference: the largest difference of any output from LiteRT on this host.
        host_equal: whether all outputs are the host's to the last bit.
        delegate: what computed in the CPU's place, and how much of the model.
        operators: what each took.
    """

    serial: str
    device: str
    runtime: str
    runs: int
    warmup: int
    threads: int
    cores: tuple[int, ...]
    init_us: int
    first_us: int | None
    percentiles_us: Mapping[int, float | None]
    invoke_us: IntArray | None
    peak_rss_bytes: int
    cpu_us: int
    before: Condition
    during: tuple[Condition, ...]
    after: Condition
    drain_uah: int | None
    drain_shell_mah: float | None
    host_difference: float | None
    host_equal: bool | None
    delegate: str | None
    operators: tuple[Operator, ...] | None
    unknown: Mapping[str, str]


Outcome = Bench | DeviceError | BundleError


def job_of(wish: Wish) -> ModelJob:
    """Return the job that *wish* is, with drawn numbers for inputs that are not given.

    Raises:
        UsageError: the model has no such signature, or a file does not fit its input.
    """
    try:
        signature = signature_of(wish.model, wish.signature)
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{wish.model}: not a model that LiteRT can run ({error})") from error
    wants = {name: (dtype, shape) for name, dtype, shape in signature.inputs}
    if unknown := sorted(wish.inputs.keys() - wants.keys()):
        raise UsageError(f"--input {unknown[0]}: the model's inputs are {', '.join(wants)}")
    return ModelJob(
        wish.model,
        {
            name: _given(name, wish.inputs[name], dtype, shape)
            if name in wish.inputs
            else _drawn(name, dtype, shape)
            for name, (dtype, shape) in wants.items()
        },
        [name for name, _, _ in signature.outputs],
        signature=wish.signature,
        steps=wish.runs + (0 if wish.tool else wish.warmup),
        threads=wish.threads,
        cores=wish.cores,
        timeout_s=wish.timeout_s,
    )


def _given(name: str, path: Path, dtype: str, shape: tuple[int, ...]) -> Array:
    try:
        array: Array = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--input {name}={path}: not an array of numpy ({error})") from error
    if (array.dtype.name, array.shape) != (dtype, shape):
        raise UsageError(
            f"--input {name}={path}: is {array.dtype} of shape {array.shape}; "
            f"the model wants {dtype} of {shape}"
        )
    return array


def _drawn(name: str, dtype: str, shape: tuple[int, ...]) -> Array:
    """Return numbers of no meaning: normal ones, or whole ones that any table has a row for."""
    count, draws = np.arange(int(np.prod(shape))), Draws(1, f"bench.{name}")
    if np.dtype(dtype).kind == "f":
        return draws.normal(count, 0).reshape(shape).astype(dtype)
    return draws.integers(count, 0, 2).reshape(shape).astype(dtype)


def bench_all(
    adb: Adb, serials: Sequence[str], wish: Wish, bundles: Sequence[Path], say: Say
) -> dict[str, Outcome]:
    """Return what came of *wish* on each of *serials*, measured on all at the same time.

    Raises:
        UsageError: see ``job_of``.
    """
    job = job_of(wish)
    host = HostRunner().run(replace(job, steps=1, cores=()))
    found: dict[str, Outcome] = {}
    say(f"preparing {', '.join(serials)}")
    with all_ready(adb, serials, bundles, say) as prepared:
        ready = {serial: one for serial, one in prepared.items() if isinstance(one, Ready)}
        found |= {serial: one for serial, one in prepared.items() if not isinstance(one, Ready)}
        say(f"measuring {job.steps} inferences on {', '.join(ready) or 'no device'}")

        def measure(serial: str) -> Outcome:
            try:
                return bench(ready[serial], wish, job, host)
            except DeviceError as error:
                return error

        with ThreadPoolExecutor(max(1, len(ready)), "droidloop-bench") as pool:
            found |= zip(ready, pool.map(measure, ready), strict=True)
    return {serial: found[serial] for serial in serials}


def bench(ready: Ready, wish: Wish, job: ModelJob, host: Ran | Failed) -> Bench:
    """Measure *job* on one device; *host* is what LiteRT gives here.

    Raises:
        DeviceError: the device fails, or the model does not run on it.
    """
    connection, bundle, unknown = ready.connection, ready.bundle, dict[str, str]()
    runner: Runner = ready.runner
    extra = Extra(wish.delegate, wish.profile, wish.warmup)
    tool = BenchmarkRunner(AttachedDevice(connection), wish.tool, extra) if wish.tool else None
    before = condition_of(connection)
    with _Watch(ready) as watch:
        ran = (tool or runner).run(job)
    after = condition_of(connection)
    if isinstance(ran, Failed):
        raise DeviceError(f"{connection.serial}: {wish.model.name} did not run: {ran.message}")
    if not watch.seen:
        unknown["during"] = f"all was over within {POLL_S:g} s"
    times: IntArray | None = None
    first_us: int | None = None
    percentiles: dict[int, float | None]
    if tool is None:
        times, first_us = ran.invoke_us[wish.warmup :], int(ran.invoke_us[0])
        percentiles = {q: float(np.percentile(times, q)) for q in PERCENTILES}
    else:
        stats = tool.told.stats if tool.told is not None else None
        told = (None, None, None) if stats is None else (stats.p5_us, stats.median_us, stats.p95_us)
        percentiles = dict(zip(PERCENTILES, (*told, None), strict=True))
        unknown["invoke_us"] = unknown["p99_us"] = "benchmark_model does not tell it"
    drain_uah, drain_mah = _drain(before, after, unknown)
    difference, equal = _compare(ran, host, unknown)
    delegate = operators = None
    if tool is not None:
        delegate, operators = tool.told.delegate if tool.told else None, tool.operators
    if delegate is None:
        unknown["delegate"] = "the CPU computed; --delegate goes with --benchmark-model"
    if operators is None:
        unknown["operators"] = "not asked for; --profile goes with --benchmark-model"
    return Bench(
        serial=connection.serial,
        device=property_of(connection, "ro.product.model") or "unknown",
        runtime=bundle.runtime_version if tool is None else "benchmark_model",
        runs=wish.runs,
        warmup=wish.warmup,
        threads=wish.threads,
        cores=wish.cores,
        init_us=ran.load_us,
        first_us=first_us,
        percentiles_us=percentiles,
        invoke_us=times,
        peak_rss_bytes=ran.peak_rss_bytes,
        cpu_us=ran.cpu_us,
        before=before,
        during=tuple(watch.seen),
        after=after,
        drain_uah=drain_uah,
        drain_shell_mah=drain_mah,
        host_difference=difference,
        host_equal=equal,
        delegate=delegate,
        operators=operators,
        unknown={**before.unknown, **unknown},
    )


class _Watch:
    """Asks a device for its heat every ``POLL_S`` during a block."""

    def __init__(self, ready: Ready) -> None:
        self.seen: list[Condition] = []
        self._connection = ready.connection
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="droidloop-heat")

    def __enter__(self) -> "_Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(POLL_S):
            begin_s = time.monotonic()
            try:
                seen = heat_of(self._connection)
            except AndroidError:  # whoever measures meets it too, and says so
                return
            self.seen.append(seen)
            # looking takes the device's time: a tenth of it at most
            if self._over.wait(9 * (time.monotonic() - begin_s)):
                return


def _drain(
    before: Condition, after: Condition, unknown: dict[str, str]
) -> tuple[int | None, float | None]:
    """Return what left the battery by its counter, and by Android's model."""
    drain_uah = drain_mah = None
    if before.charge_uah is None or after.charge_uah is None:
        unknown["drain_uah"] = before.unknown.get("charge_uah", "it stopped telling its charge")
    elif before.plugged or after.plugged:
        unknown["drain_uah"] = "it is on a charger; unplug it (adb over WiFi)"
    elif before.charge_uah <= after.charge_uah:
        unknown["drain_uah"] = "its charge counter did not move; more --runs"
    else:
        drain_uah = before.charge_uah - after.charge_uah
    if before.shell_mah is None or after.shell_mah is None:
        unknown["drain_shell_mah"] = before.unknown.get("shell_mah", "it stopped telling it")
    else:
        drain_mah = after.shell_mah - before.shell_mah
    return drain_uah, drain_mah


def _compare(
    ran: Ran, host: Ran | Failed, unknown: dict[str, str]
) -> tuple[float | None, bool | None]:
    """Return the largest difference of outputs from the host's, and whether all bits are equal."""
    if isinstance(host, Failed):
        unknown["host_difference"] = unknown["host_equal"] = f"not on this host: {host.message}"
        return None, None
    pairs = [(ran.outputs[name], host.outputs[name]) for name in host.outputs]
    wide = [(a.astype(np.float64), b.astype(np.float64)) for a, b in pairs]
    largest = max((float(np.abs(a - b).max()) for a, b in wide if a.size), default=0.0)
    return largest, all(a.tobytes() == b.tobytes() for a, b in pairs)
