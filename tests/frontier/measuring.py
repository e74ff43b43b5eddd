"""Memory and latency of what ships: its ``.tflite`` file through LiteRT, on a phone or this host.

A phone is one that the environment variable ``DROIDLOOP_SERIAL`` names and this user's adb knows,
as the QEMU machines of ``make phone`` are. The energy is the median time of a list by the power of
one core of ``PROFILE``: no phone here tells its own.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .row import Fitted

PROFILE = "2020-6gb"
RUNS = 30


def measured(fitted: "Fitted") -> dict[str, Any]:
    """Return what a list of all items takes of *fitted*, and where that was measured."""
    from droidloop.devices.population.profiles import PROFILES
    from droidloop.models.packages.export import convert
    from droidloop.models.packages.exportable import scoring_table
    from droidloop.models.packages.packing import FLOAT

    model = convert(scoring_table(fitted.table, fitted.params), [FLOAT], 600)[FLOAT]
    serial = os.environ.get("DROIDLOOP_SERIAL")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.tflite")
        path.write_bytes(model)
        found = _here(path) if serial is None else _there(path, serial)
    latency_s = found["latency_s"]
    power_w = PROFILES[PROFILE].cpu_uw / 1e6
    return {
        "tflite_bytes": len(model),
        **found,
        "energy_j": None if latency_s is None else latency_s * power_w,
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
        "peak_ram_bytes": one["peak_rss_bytes"],
        "latency_s": one["p50_ms"] / 1000,
        "where": one["device"],
    }
