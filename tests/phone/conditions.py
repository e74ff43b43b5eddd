"""What devices have to hold, measured on two QEMU phones: one line for each condition.

    python -m tests.phone.conditions [streams | bench | calibrate | server | minutes]...

Without a name all of them, in about half an hour on two idle cores. Each line is JSON: whether it
holds, its figures, the commit and the load of this machine, of which times are no use when others
work on it. Phones of ``make phone`` should not run at the same time.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from droidloop.devices.android.adb.adb import Adb
from droidloop.devices.android.adb.adb_process import adb_environment, adb_path
from droidloop.devices.android.probing.bench import Wish, job_of
from droidloop.devices.android.runners.bundle import Store
from droidloop.devices.android.runners.bundle_cache import kept_bundle
from droidloop.devices.android.runners.job_files import FILES, write_job
from droidloop.platform.ledger import read
from droidloop.platform.rundir import RunDirectory
from droidloop.scenarios.reports.device_tables import devices_of

from .__main__ import MEMORY_MIB, PHONES
from .conftest import Attached, attach
from .qemu import free_port, start

ROOT = Path(__file__).parents[2]
EXPORT = Path(__file__).with_name("export_mobilenet.py")
RUNS, WARMUP = 30, 3
TURNS = (
    *("alone", "direct", "direct", "alone", "alone", "direct", "both", "both"),
    *("direct", "alone", "alone", "direct", "direct", "alone"),
)
BOTH_AT_MOST, DIRECT_WITHIN = 1.3, 0.05
INFERENCE_WITHIN, TRAINING_WITHIN, JOBS_WITHIN = 0.15, 0.25, 0.25
BENCH_S, RUN_S = 300.0, 1200.0
USERS_PORT = 5037
DIRECT = "/data/local/tmp/direct"


@dataclass(frozen=True)
class Bed:
    """Two phones, a folder, and the environment in which commands see these phones alone."""

    pair: Sequence[Attached]
    folder: Path
    environment: Mapping[str, str]

    @property
    def serials(self) -> list[str]:
        """What adb calls them."""
        return [one.phone.serial for one in self.pair]

    def droidloop(self, *words: str) -> str:
        """Run ``droidloop`` with *words*, which must succeed; return what it prints."""
        script = "from droidloop.scenarios.cli.main import main; main()"
        done = subprocess.run(
            [sys.executable, "-P", "-c", script, *words],
            capture_output=True,
            text=True,
            env=self.environment,
            cwd=self.folder,
        )
        if done.returncode != 0:
            raise RuntimeError(f"droidloop {' '.join(words)}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def model(self) -> Path:
        """Return a network of MobileNet's size in dynamic int8: 5 MB."""
        path = self.folder / "mobilenet.tflite"
        if not path.exists():
            command = [sys.executable, str(EXPORT), str(path), "1", "int8"]
            subprocess.run(command, check=True, capture_output=True)
        return path


def streams(bed: Bed) -> dict[str, Any]:
    """The suite for real devices, on a phone whose closed streams end what they started."""
    phone = bed.pair[0]
    phone.end_with_streams()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-m", "emulator", "tests/phone"],
            capture_output=True,
            text=True,
            env={**bed.environment, "DROIDLOOP_SERIAL": phone.phone.serial},
            cwd=ROOT,
        )
    finally:
        phone.end_with_streams(False)
    said = done.stdout.strip().splitlines()[-1]
    return {"holds": done.returncode == 0 and " passed" in said, "said": said}


def bench(bed: Bed) -> dict[str, Any]:
    """A 5 MB model on one phone and on both; beside it LiteRT without droidloop in the guest.

    The two are timed in pairs, of which each second one is turned round: a host's speed changes
    within minutes by more than what is to be told.
    """
    model, options = bed.model(), ["--json", "--runs", str(RUNS), "--warmup", str(WARMUP)]
    serial, facts = bed.serials[0], list[dict[str, Any]]()
    found: dict[str, list[float]] = {"alone": [], "both": [], "direct": []}
    walls: dict[str, list[float]] = {"alone": [], "both": []}
    bed.droidloop("devices", "bench", serial, str(model), "--json", "--runs", "1")  # builds all
    for turn in TURNS:
        if turn == "direct":
            found[turn].append(_direct_p50_us(bed.pair[0], model) / 1000)
            continue
        serials = bed.serials if turn == "both" else [serial]
        begin = time.perf_counter()
        told = json.loads(bed.droidloop("devices", "bench", *serials, str(model), *options))
        walls[turn].append(time.perf_counter() - begin)
        found[turn].append(told["devices"][0]["p50_ms"])
        facts += told["devices"]
    both = float(np.median(walls["both"]) / np.median(walls["alone"]))
    over = np.array(found["alone"]) / np.array(found["direct"])
    absent = {n for one in facts for n, value in one.items() if value is None}
    untold = [n for one in facts for n, v in one.items() if v is None and n not in one["unknown"]]
    return {
        "holds": all(one["host_equal"] for one in facts)
        and both < BOTH_AT_MOST
        and abs(float(np.median(over)) - 1) < DIRECT_WITHIN
        and not untold,
        "model_bytes": model.stat().st_size,
        "outputs_equal": [one["host_equal"] for one in facts],
        "alone_s": walls["alone"],
        "both_s": walls["both"],
        "both_over_alone": both,
        "p50_ms": found["alone"],
        "p50_both_ms": found["both"],
        "direct_p50_ms": found["direct"],
        "p50_over_direct": over.tolist(),
        "p50_over_direct_median": float(np.median(over)),
        "absent_with_a_reason": sorted(absent),
        "absent_without": untold,
    }


def _direct_p50_us(phone: Attached, model: Path) -> float:
    """Return the median time of LiteRT's program, started by hand in the guest's shell."""
    job, device = job_of(Wish(model, runs=RUNS, warmup=WARMUP)), phone.device(60.0)
    bundle, store = kept_bundle("x86_64"), Store(device)
    folder = store.put_bundle(bundle)
    phone.connection.run(["mkdir", "-p", DIRECT])
    with tempfile.TemporaryDirectory() as scratch:
        local = Path(scratch, FILES[0])
        write_job(job, local, f"{DIRECT}/model")
        device.push(local, f"{DIRECT}/{FILES[0]}")
        device.push(model, f"{DIRECT}/model")
    words = [word if word.startswith("-") else f"{folder}/{word}" for word in bundle.entry]
    script = f'cd {DIRECT} && "$@" {" ".join(FILES)} && cat {FILES[2]}'
    told = phone.connection.run(["sh", "-c", script, "sh", *words], timeout_s=600.0)
    phone.connection.run(["rm", "-rf", DIRECT])
    store.clean()
    return float(np.median(json.loads(told)["invoke_us"][WARMUP:]))


def calibrate(bed: Bed) -> dict[str, Any]:
    """Errors on models held out; then a run whose jobs stand beside what the new profile says."""
    serial, out = bed.serials[0], bed.folder / "calibrated"
    said = bed.droidloop("devices", "calibrate", serial, "--out", str(out))
    errors = {
        what: float(found[1]) / 100
        for what in ("inference", "training")
        if (found := re.search(rf"error of {what} that was not fitted on: ([0-9.]+)%", said))
    }
    (profile,) = out.glob("*.toml")
    text = (ROOT / "scenarios/schema/library/mixed.toml").read_text()
    begin, end = text.index("[population.profiles]"), text.index("[model]")
    mixed = out / "mixed-calibrated.toml"
    population = f'profile_files = ["{profile}"]\nprofiles = {{ "{profile.stem}" = 1.0 }}\n\n'
    mixed.write_text(f"{text[:begin]}[population]\n{population}{text[end:]}")
    run = bed.folder / "calibrated-run"
    bed.droidloop("run", str(mixed), "--attach", serial, "--out", str(run))
    report = bed.droidloop("report", str(run))
    (kinds,) = (d["kinds"] for d in devices_of(RunDirectory(run), read(run, "jobs")).values())
    jobs = {kind: found["compute_s"] for kind, found in kinds.items()}
    rows = read(run, "measures")
    told = rows[(rows["wall_us"] > 0) & (rows["modelled_compute_us"] > 0)]
    wrong = np.abs(told["modelled_compute_us"] / told["wall_us"] - 1)
    error = float(np.median(wrong)) if len(wrong) else float("inf")
    return {
        "holds": errors.get("inference", 1) < INFERENCE_WITHIN
        and errors.get("training", 1) < TRAINING_WITHIN
        and error < JOBS_WITHIN,
        "held_out_median_error": errors,
        "median_error_of_jobs": error,
        "compute_by_kind": jobs,
        "report": [line for line in report.splitlines() if "%)" in line],
    }


def server(bed: Bed) -> dict[str, Any]:
    """A user's server on 5037 with both phones: listed, used, left as it was."""
    adb = [str(adb_path()), "-P", str(USERS_PORT)]
    environment = adb_environment()
    users = subprocess.Popen([*adb, "nodaemon", "server"], env=environment, stderr=subprocess.PIPE)
    try:
        time.sleep(2)
        for serial in bed.serials:
            subprocess.run([*adb, "connect", serial], check=True, env=environment)
        named = ("--adb-server", f"127.0.0.1:{USERS_PORT}")
        listed = json.loads(bed.droidloop("devices", "list", "--json", *named))
        model = str(bed.model())
        used = json.loads(
            bed.droidloop(
                "devices", "bench", bed.serials[1], model, "--json", "--runs", "3", *named
            )
        )
        left = subprocess.run([*adb, "devices"], capture_output=True, text=True, env=environment)
        alive = users.poll() is None
    finally:
        users.terminate()
        users.wait(30)
    without = json.loads(bed.droidloop("devices", "list", "--json"))
    kept = [serial for serial in bed.serials if f"{serial}\tdevice" in left.stdout]
    return {
        "holds": alive
        and kept == bed.serials
        and {one["serial"] for one in listed} == set(bed.serials)
        and len(used["devices"]) == 1
        and {one["serial"] for one in without} == set(bed.serials),
        "listed": [one["serial"] for one in listed],
        "same_process": alive,
        "still_attached": kept,
        "without_it": [one["serial"] for one in without],
    }


def minutes(folder: Path, model: Path) -> dict[str, Any]:
    """The commands of docs/phones.md in a clean checkout, an environment being set up."""
    clone, took = folder / "clone", dict[str, float]()
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    here = Path(sys.prefix)
    for name, parts in ((".venv", ("bin", "lib", "include", "pyvenv.cfg")), (".venv-tflite", ())):
        (clone / name).mkdir()
        for part in parts:
            (clone / name / part).symlink_to(here / part)
        for stamp in ("installed", "developed"):
            (clone / name / stamp).touch()
    environment = {
        **os.environ,
        "PATH": f"{clone}/.venv/bin:{os.environ['PATH']}",
        "PYTHONPATH": str(clone),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "DROIDLOOP_STATE": str(folder / "clone-state"),
    }
    serial = f"127.0.0.1:{PHONES['p1']}"
    bench = f"droidloop devices bench {serial} {model}"
    run = "droidloop run mixed --attach all"
    begin = time.perf_counter()
    try:
        for command in ("make phone", "droidloop devices list", bench, run):
            done = subprocess.run(
                shlex.split(command), cwd=clone, env=environment, capture_output=True, text=True
            )
            if done.returncode != 0:
                raise RuntimeError(f"{command}: {done.stderr.strip()[-500:]}")
            took[command] = round(time.perf_counter() - begin, 1)
    finally:
        subprocess.run(["make", "phone-stop"], cwd=clone, env=environment, capture_output=True)
    return {
        "holds": took[bench] < BENCH_S and took[run] < RUN_S,
        "seconds_from_the_start": took,
    }


ON_A_BED: Mapping[str, Callable[[Bed], dict[str, Any]]] = {
    "streams": streams,
    "bench": bench,
    "calibrate": calibrate,
    "server": server,
}


def main(names: Sequence[str]) -> int:
    """Measure the conditions *names*; return 0 where all of them hold."""
    wanted = list(names) or [*ON_A_BED, "minutes"]
    if unknown := [name for name in wanted if name not in ON_A_BED and name != "minutes"]:
        print(f"{unknown[0]}: choose among {', '.join([*ON_A_BED, 'minutes'])}", file=sys.stderr)
        return 2
    failed = 0
    with tempfile.TemporaryDirectory(prefix="droidloop-conditions-") as scratch:
        folder = Path(scratch)
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "DROIDLOOP_STATE": str(folder / "state"),
        }
        bed = Bed((), folder, environment)
        with ExitStack() as stack:
            if any(name in ON_A_BED for name in wanted):
                adb = stack.enter_context(Adb.start(usb=False))
                machines = []
                for name in PHONES:
                    machines.append(start(name, free_port(), memory_mib=MEMORY_MIB))
                    stack.callback(machines[-1].kill)
                bed = Bed([attach(adb, one) for one in machines], folder, environment)
                for serial in bed.serials:
                    bed.droidloop("devices", "list", "--connect", serial)
            for name in wanted:
                if name in ON_A_BED:
                    failed += _tell(name, lambda name=name: ON_A_BED[name](bed))  # type: ignore[misc]
        if "minutes" in wanted:
            failed += _tell("minutes", lambda: minutes(folder, bed.model()))
    return int(failed > 0)


def _tell(name: str, measured: Callable[[], dict[str, Any]]) -> int:
    """Print the line of a condition; return 1 where it does not hold."""
    begin = time.perf_counter()
    try:
        facts = measured()
    except (RuntimeError, subprocess.CalledProcessError) as error:
        facts = {"holds": False, "error": str(error)}
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    about = {
        "took_s": round(time.perf_counter() - begin, 1),
        "load": [round(one, 1) for one in os.getloadavg()],
        "cores": os.cpu_count(),
        "commit": commit.stdout.strip(),
    }
    print(json.dumps({"condition": name, **facts, **about}), flush=True)
    return int(not facts["holds"])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
