"""Exact play: events of the device model in SimPy's order, 10,000 phones.

An event is the end of a phase of one job (waited, downloaded, computed, uploaded), handled by
SimPy at its virtual time, in which the phone's energy and battery are brought up to date. Changes
that a phase integrates over (gaps, promotions, tails, chargers, sessions of use) are not counted,
though they move the battery too; nor are jobs that were refused counted for phases never begun.

The baseline is raw SimPy: as many processes, each of which waits four times a round.
"""

import tempfile
import time
from collections.abc import Generator
from pathlib import Path

import simpy

WHAT = "exact play of 10,000 phones: ends of phases, each with energy and battery"
UNIT = "events/s"
BASELINE = "raw SimPy, as many processes"

PHONES = 10_000
ROUNDS = 24
EVERY_S = 600
PHASES = 4


def events_of(phones: int, rounds: int) -> float:
    """Return events per second; jobs are selected, and what came of them written, all included."""
    from tests.benchmarks.idle import IdleRounds

    idle = IdleRounds(phones, rounds, EVERY_S, None, 54_000, 10**9, exact=True)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        idle.run(Path(folder))
        return idle.phases / (time.perf_counter() - start)


def prepare() -> None:
    """Compile what `measure` calls."""
    events_of(100, 2)


def measure() -> float:
    """Return events per wall second."""
    return events_of(PHONES, ROUNDS)


def phone(environment: simpy.Environment, number: int) -> Generator[simpy.Event, None, None]:
    """Wait for the four phases of each round's job, then for the next round."""
    for _ in range(ROUNDS):
        rest = EVERY_S * 1_000_000
        for phase in range(PHASES - 1):
            length = 1 + (number * 7919 + phase * 104_729) % 3_000_000
            rest -= length
            yield environment.timeout(length)
        yield environment.timeout(rest)


def baseline() -> float:
    """Return events per wall second of processes that only wait."""
    start = time.perf_counter()
    environment = simpy.Environment(0)
    for number in range(PHONES):
        environment.process(phone(environment, number))
    environment.run()
    return PHONES * ROUNDS * PHASES / (time.perf_counter() - start)
