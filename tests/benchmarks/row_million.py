"""A day of a million phones: gaps, batteries, charging, presence, RAM, rounds, a package to all.

The baseline is what numpy takes to step the batteries of the same phones through the same day,
a minute at a time: use, charger, coverage, and nothing of jobs, bytes or a ledger.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

WHAT = "1,000,000 phones, 24 h, a round of 10,000 every 10 min, a package to all, a ledger"
UNIT = "phone-hours/s"
BASELINE = "numpy, batteries alone, a minute a step"

PHONES = 1_000_000
HOURS = 24
CLIENTS = 10_000
UPDATE_BYTES = 215_000
PACKAGE_BYTES = 75_000
FLOPS = 10**9


def day_of(phones: int, clients: int) -> float:
    """Return the wall seconds of a day of *phones*, from their making to the closed ledger."""
    from tests.benchmarks.idle import IdleRounds

    rounds = IdleRounds(
        phones=phones,
        rounds=HOURS * 6,
        every_s=600,
        clients=clients,
        message_bytes=UPDATE_BYTES,
        flops=FLOPS,
        package_bytes=PACKAGE_BYTES,
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        rounds.run(Path(folder))
        return time.perf_counter() - start


def prepare() -> None:
    """Compile what `measure` calls."""
    day_of(1000, 10)


def measure() -> float:
    """Return phone-hours per wall second."""
    return PHONES * HOURS / day_of(PHONES, CLIENTS)


def baseline() -> float:
    """Return phone-hours per wall second of the batteries alone."""
    chance = np.random.Generator(np.random.PCG64(1))
    start = time.perf_counter()
    level = chance.random(PHONES, np.float32)
    bed, used = chance.random(PHONES, np.float32), chance.random(PHONES, np.float32)
    covered = np.zeros(PHONES, np.int64)
    for minute in range(HOURS * 60):
        phase = (bed + np.float32(minute / (HOURS * 60))) % 1
        charging = phase < 0.3
        drain = np.where(phase * 60 % 1 < used * 0.3, np.float32(0.003), np.float32(0.0002))
        level += np.where(charging, np.float32(0.005), -drain)
        np.clip(level, 0, 1, out=level)
        covered += phase * 97 % 1 < 0.96
    return PHONES * HOURS / (time.perf_counter() - start)
