"""Delivery to a real phone: droidloop's push of 20 MB against the bare adb client's.

Both move the same file to the same QEMU phone, by turns; the transfer alone counts, and what
droidloop adds (a check of room before, a comparison of hashes after) is timed apart.
"""

WHAT = "push of 20 MB to a QEMU phone, transfer alone"
UNIT = "MB/s"
BASELINE = "bare adb push (0.95 is the bar)"

SIZE_BYTES = 20_000_000
TURNS = 7


def measure() -> float:
    """Return the median rate of droidloop's pushes."""
    return _rates()[0]


def baseline() -> float:
    """Return the median rate of bare pushes."""
    return _rates()[1]


def _rates() -> tuple[float, float]:
    """Return MB/s of droidloop and of the bare client, taken by turns in the same run."""
    import os
    import statistics
    import subprocess
    import sys
    import tempfile
    import time
    from pathlib import Path

    from droidloop.devices.android.adb_process import adb_environment, adb_path
    from droidloop.devices.android.transfer import push
    from tests.benchmarks.phones import two_machines

    ours, bare, checks = [], [], []
    with two_machines() as (phone, _), tempfile.TemporaryDirectory() as folder:
        local = Path(folder, "package")
        local.write_bytes(os.urandom(SIZE_BYTES))
        connection = phone.connection
        server = ["-L", f"tcp:localhost:{connection.adb.port}", "-s", connection.serial]
        for _turn in range(TURNS):
            moved = push(connection, local, "/data/local/tmp/ours", timeout_s=120.0)
            ours.append(moved.bytes_per_s / 1e6)
            checks.append(moved.verify_us / 1e6)
            start = time.perf_counter()
            subprocess.run(
                [str(adb_path()), *server, "push", str(local), "/data/local/tmp/bare"],
                check=True,
                env=adb_environment(),
                stdout=subprocess.DEVNULL,
            )
            bare.append(SIZE_BYTES / 1e6 / (time.perf_counter() - start))
    median = statistics.median
    print(f"verification takes {median(checks):.2f} s on top", file=sys.stderr)
    return median(ours), median(bare)
