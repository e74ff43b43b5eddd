"""Predicted transfer times against a link that the kernel shapes like a recorded one."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from droidloop.network.formats import read_trace
from droidloop.network.gaps import per_second
from droidloop.network.trace import Series, pack, value_at
from droidloop.platform.units import SECOND_US, between, reached

PROGRAM = Path(__file__).with_name("shaped_link.py")
FRAME_BYTES, SEGMENT_BYTES = 1514, 1448
FILES = 20
FIRST_S, SECONDS = 862, 66
"""Two gaps of seconds, rates from 22 to 766 kB/s."""


def namespace() -> list[str]:
    """The command that runs a program in a network namespace where ``tc`` works, or skip."""
    for tool in ("unshare", "ip", "tc"):
        if shutil.which(tool) is None:
            pytest.skip(f"needs {tool} (util-linux and iproute2)")
    trial = "tc qdisc add dev lo root tbf rate 1mbit burst 1540 limit 10000"
    reason = ""
    for command in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        if len(command) == 2 and os.geteuid() != 0:
            continue
        done = subprocess.run([*command, *trial.split()], capture_output=True, text=True)
        if done.returncode == 0:
            return command
        reason = done.stderr.strip()
    pytest.skip(f"the kernel shapes no link in a namespace of the test's own: {reason}")


def predicted_us(series: Series, start_us: int, nbytes: int) -> int:
    """Return how long *nbytes* take, from segment to segment as a phone's transfer does."""
    index, times_us, values = pack([series])
    t_us = start_us
    while True:
        rate, end_us = value_at(index[0], times_us, values, t_us, 0)
        moved = between(rate, t_us, end_us)
        if moved >= nbytes:
            return int(reached(rate, t_us, nbytes)) - start_us
        nbytes, t_us = nbytes - moved, end_us


@pytest.mark.slow
def test_20_files_take_as_long_as_predicted_within_10_percent_in_the_median(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drive on UMTS, the kernel's own TCP; the token bucket counts headers as well."""
    command = namespace()
    trace = read_trace(shared / "data/network/mahimahi/TMobile-UMTS-driving.down.gz")
    rates = per_second(trace.down)[FIRST_S : FIRST_S + SECONDS]
    sizes = [round(size) for size in np.geomspace(40_000, 700_000, FILES)]
    sizes = [sizes[7 * k % FILES] for k in range(FILES)]
    on_the_wire = [int(rate) * FRAME_BYTES // SEGMENT_BYTES for rate in rates]
    done = subprocess.run(
        [*command, sys.executable, str(PROGRAM)],
        input=json.dumps({"rates": on_the_wire, "sizes": sizes}) + "\n",
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    fetched = json.loads(done.stdout)
    assert len(fetched) == FILES
    series = Series(np.arange(SECONDS) * SECOND_US, rates, SECONDS * SECOND_US)
    errors = []
    for nbytes, (start_s, took_s) in zip(sizes, fetched, strict=True):
        expected_s = predicted_us(series, round(start_s * 1e6), nbytes) / SECOND_US
        errors.append(abs(expected_s / took_s - 1.0))
    median = float(np.median(errors))
    with capsys.disabled():
        total_s = sum(took_s for _, took_s in fetched)
        print(
            f"\nshaped link: {FILES} files in {total_s:.0f} s, error in the median {median:.1%}, "
        )
        print(f"in three of four below {np.percentile(errors, 75):.1%}, largest {max(errors):.1%}")
    assert median < 0.10
