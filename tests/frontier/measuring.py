"""Memory and latency of what ships: its ``.tflite`` file through LiteRT, on a phone or this host.

    DROIDLOOP_SERIAL=SERIAL python -m tests.frontier.measuring runs/frontier.jsonl

measures the files that the rows have kept once more, and writes that into their lines. A phone is
one that the environment variable names and this user's adb knows, as the QEMU machines of ``make
phone`` are. The energy is the median time of a list by the power of one core of ``PROFILE``: no
phone here tells its own.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .row import Fitted

PROFILE = "2020-6gb"
RUNS = 30
FOLDER = Path("runs", "frontier")


def exported(fitted: "Fitted", name: str, share: int) -> Path:
    """Write the ``.tflite`` file of *fitted*, of a row and a budget; return its path."""
    from droidloop.models.packages.export import convert
    from droidloop.models.packages.exportable import scoring_table
    from droidloop.models.packages.packing import FLOAT

    path = FOLDER / f"{name}-{share}.tflite"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(convert(scoring_table(fitted.table, fitted.params), [FLOAT], 600)[FLOAT])
    return path


def measured(path: Path) -> dict[str, Any]:
    """Return what a list of all items takes of the file *path*, and where that was measured."""
    from droidloop.devices.population.profiles import PROFILES

    serial = os.environ.get("DROIDLOOP_SERIAL")
    found = _here(path) if serial is None else _there(path, serial)
    return {
        "tflite_bytes": path.stat().st_size,
        **found,
        "energy_j": found["latency_s"] * PROFILES[PROFILE].cpu_uw / 1e6,
        "energy_of": PROFILE,
    }


def _here(path: Path) -> dict[str, Any]:
    """Return what LiteRT takes on this host, in a process of its own that measures its heap."""
    from droidloop.models.packages.litert import measure

    took = measure(path, runs=RUNS)
    return {
        "peak_ram_bytes": took.peak_bytes,
        "latency_s": took.invoke_p50_us / 1e6,
        "where": "this host",
    }


def _there(path: Path, serial: str) -> dict[str, Any]:
    """Return what LiteRT takes on the phone *serial*."""
    words = ["devices", "bench", serial, str(path), "--json", "--runs", str(RUNS)]
    script = "from droidloop.scenarios.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, *words], capture_output=True, text=True, check=True
    )
    (one,) = json.loads(done.stdout)["devices"]
    return {
        "peak_ram_bytes": round(one["peak_rss_mib"] * 2**20),
        "latency_s": one["p50_ms"] / 1000,
        "where": one["device"],
    }


def measure_again(lines: Path) -> list[dict[str, Any]]:
    """Measure what the rows of the file *lines* have kept, one after the other; return them."""
    told: list[dict[str, Any]] = [json.loads(line) for line in lines.read_text().splitlines()]
    for one in told:
        path = FOLDER / f"{one['name']}-{one['budget'].partition('/')[2]}.tflite"
        if "value" in one:
            one |= measured(path)
            print(json.dumps(one), file=sys.stderr, flush=True)
    lines.write_text("".join(f"{json.dumps(one)}\n" for one in told))
    return told


if __name__ == "__main__":
    measure_again(Path(sys.argv[1]))
