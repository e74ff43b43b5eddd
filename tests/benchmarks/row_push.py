"""Delivery to a real phone: droidloop's push of 20 MB against the bare adb client's.

Both move the same file to the same QEMU phone, by turns; the transfer alone counts, and what
droidloop adds (a check of room before, a comparison of hashes after) is timed apart. Each turn
gives one ratio, so that what slows the machine for a while slows both; the median of them counts.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # imported only where a phone is pushed to
    from droidloop.devices.android.adb.connection import Connection

WHAT = "push of 20 MB to a QEMU phone, transfer alone"
UNIT = "MB/s"
BASELINE = "bare adb push by turns (0.95 is the bar)"
baseline = None

SIZE_BYTES = 20_000_000
TURNS = 13


def measure() -> tuple[float, float]:
    """Return the median rate of droidloop's pushes, and that over the median ratio."""
    from droidloop.devices.android.adb.transfer import push
    from tests.benchmarks.phones import two_machines

    ours, ratios, checks_s = [], [], []
    with two_machines() as (phone, _), tempfile.TemporaryDirectory() as folder:
        local = Path(folder, "package")
        local.write_bytes(os.urandom(SIZE_BYTES))
        for turn in range(1 + TURNS):
            bare_s = 0.0 if turn % 2 else _bare_s(phone.connection, local)
            moved = push(phone.connection, local, "/data/local/tmp/ours", timeout_s=120.0)
            bare_s = bare_s or _bare_s(phone.connection, local)
            if turn == 0:
                continue  # the guest's first files: it is still making room for them
            ours.append(moved.bytes_per_s / 1e6)
            ratios.append(bare_s * 1e6 / moved.transfer_us)
            checks_s.append(moved.verify_us / 1e6)
    rate, ratio = statistics.median(ours), statistics.median(ratios)
    shown = " ".join(f"{value:.2f}" for value in sorted(ratios))
    print(f"droidloop / bare adb in {TURNS} turns: {shown}", file=sys.stderr)
    print(f"verification takes {statistics.median(checks_s):.2f} s on top", file=sys.stderr)
    return rate, rate / ratio


def _bare_s(connection: "Connection", local: Path) -> float:
    """Return the wall time of pushing *local* with the adb client alone, to a name of its own."""
    from droidloop.devices.android.adb.adb_process import adb_environment, adb_path

    server = ["-L", f"tcp:localhost:{connection.adb.port}", "-s", connection.serial]
    command = [str(adb_path()), *server, "push", str(local), "/data/local/tmp/bare"]
    connection.run(["rm", "-f", "/data/local/tmp/bare"])  # as droidloop's goes to a new name
    start = time.perf_counter()
    subprocess.run(
        command,
        check=True,
        env=adb_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    return time.perf_counter() - start
