"""Predicted transfer times, slow start included, against a link that is shaped and delayed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from droidloop.devices.phone.play import play_cohort
from droidloop.network.formats import read_trace
from droidloop.network.gaps import per_second
from droidloop.network.slow_start import INITIAL_WINDOW_BYTES
from droidloop.network.trace import Series
from droidloop.platform.arrays import FloatArray
from droidloop.platform.jobs import Jobs, Kind
from droidloop.platform.units import SECOND_US
from tests.contracts.worlds import steady
from tests.network.delayed_link import MODULE
from tests.network.test_shaped_link import namespace

ROOT = Path(__file__).parents[3]
PACKET_BYTES, SEGMENT_BYTES = 1500, 1448
FILES, SECONDS = 20, 120
RTT_S = 0.084
"""The median on LTE (Raca et al. 2020)."""


def fetched(rates: list[int], sizes: list[int]) -> list[tuple[float, float]]:
    """Return when each file was asked for, and how long it took, both in seconds."""
    command = namespace()
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        pytest.skip("needs /dev/net/tun, readable and writable")
    on_the_wire = [rate * PACKET_BYTES // SEGMENT_BYTES for rate in rates]
    asked = {"rates": on_the_wire, "sizes": sizes, "delay_s": RTT_S / 2}
    done = subprocess.run(
        [*command, sys.executable, "-m", MODULE],
        cwd=ROOT,
        input=json.dumps(asked) + "\n",
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    return [(float(start), float(took)) for start, took in json.loads(done.stdout)]


def predicted_s(
    series: Series, starts_s: list[float], sizes: list[int], *, window_bytes: int
) -> FloatArray:
    """Return how long a phone takes for each file; one round trip to connect, one to ask."""
    population = steady("lte", phones=FILES, series=[series], offset_us=0, capacity_uj=10**15)
    radios = population.world.radios
    radios["rtt_us"], radios["window_bytes"] = round(RTT_S * 1e6), window_bytes
    radios["promotion_us"] = 0
    jobs = Jobs.plan(np.arange(FILES), kind=Kind.TRAIN, plan_us=0, first=0, load_bytes=-1)
    jobs.rows["plan_us"] = np.rint(np.array(starts_s) * 1e6).astype(np.int64)
    jobs.rows["down_bytes"] = sizes
    play_cohort(population.world, jobs.rows)
    assert jobs.done.all()
    return np.asarray((jobs["finish_us"] - jobs["plan_us"]) / 1e6, np.float64)


@pytest.mark.slow
def test_20_files_over_a_delayed_link_take_as_long_as_predicted_within_10_percent(
    shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A drive on LTE, the kernel's own TCP: slow start explains what round trips alone do not."""
    trace = read_trace(shared / "data/network/mahimahi/ATT-LTE-driving.down.gz")
    rates = per_second(trace.down)[:SECONDS]
    sizes = [round(size) for size in np.geomspace(50_000, 1_500_000, FILES)]
    sizes = [sizes[7 * k % FILES] for k in range(FILES)]
    starts_s, took_s = zip(*fetched(rates.tolist(), sizes), strict=True)
    series = Series(np.arange(SECONDS) * SECOND_US, rates, SECONDS * SECOND_US)
    medians = []
    for window_bytes in (0, INITIAL_WINDOW_BYTES):
        expected = predicted_s(series, list(starts_s), sizes, window_bytes=window_bytes)
        errors = np.abs(expected / np.array(took_s) - 1.0)
        medians.append(float(np.median(errors)))
        with capsys.disabled():
            print(
                f"\ndelayed link, slow start {'on' if window_bytes else 'off'}: {FILES} files in "
                f"{sum(took_s):.0f} s, error in the median {medians[-1]:.1%}, in three of four "
                f"below {np.percentile(errors, 75):.1%}, largest {errors.max():.1%}"
            )
    assert medians[1] < 0.10
