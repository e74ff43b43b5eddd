"""Do-nothing tasks: the cost of the path itself, with nothing to compute.

Each task is selected, downloads, computes nothing, uploads, is charged for its energy, moves the
battery and is written to the ledger. All 943 phones take part in every round (phone limits off),
as in a round of a federated learning framework that does nothing. The baseline does the sums of
such a round in numpy and keeps its columns in memory.
"""

import tempfile
import time
from pathlib import Path

import numpy as np

WHAT = "client tasks that do nothing, 943 phones: select to ledger"
UNIT = "tasks/s"
BASELINE = "numpy, the sums of a round"

PHONES = 943
ROUNDS = 1000
MESSAGE_BYTES = 54_000
EVERY_S = 600


def tasks_of(rounds: int) -> float:
    """Return the tasks per second of so many rounds, with the making of the population."""
    from tests.benchmarks.idle import IdleRounds

    idle = IdleRounds(PHONES, rounds, EVERY_S, None, MESSAGE_BYTES, 0, ideal=True)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        idle.run(Path(folder))
        wall_s = time.perf_counter() - start
    if idle.done != PHONES * rounds:
        raise ValueError(f"{idle.done} of {PHONES * rounds} tasks were done")
    return idle.done / wall_s


def prepare() -> None:
    """Compile what `measure` calls."""
    tasks_of(2)


def measure() -> float:
    """Return tasks per wall second."""
    return tasks_of(ROUNDS)


def baseline() -> float:
    """Return tasks per wall second of a round's sums: who, how long, how much energy."""
    chance = np.random.Generator(np.random.PCG64(1))
    start = time.perf_counter()
    rate = 2.5e6 * np.exp(0.6 * chance.standard_normal(PHONES))
    battery = np.full(PHONES, 4e10)
    kept = []
    for number in range(ROUNDS):
        phones = np.flatnonzero(battery > 0.3 * 4e10)
        wait_s = MESSAGE_BYTES / rate[phones]
        energy = {
            "promotion_uj": np.full(len(phones), 124_000.0),
            "radio_uj": 2 * 0.9e6 * wait_s,
            "tail_uj": np.full(len(phones), 28_000.0),
            "own_uj": 25_000 * 2 * wait_s,
        }
        total = sum(energy.values())
        battery[phones] += np.minimum(1e5 * EVERY_S - total, 4e10 - battery[phones])
        start_s = np.full(len(phones), number * EVERY_S, np.float64)
        kept.append(
            (phones, start_s, start_s + wait_s, start_s + 2 * wait_s, total, *energy.values())
        )
    columns = [np.concatenate(column) for column in zip(*kept, strict=True)]
    order = np.lexsort((columns[0], columns[3]))
    columns = [column[order] for column in columns]
    return len(columns[0]) / (time.perf_counter() - start)
