"""Transfers over recorded rates against a walk by the second, to the byte and the microsecond."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from droidloop.devices.phone.play import play_cohort
from droidloop.devices.population.population import Population, PopulationSpec, build
from droidloop.network.trace import Series
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.jobs import Jobs, Kind, Outcome
from droidloop.platform.units import DAY_US, NEVER_US, SECOND_US
from tests.contracts.worlds import rate_series, steady

DRAWS = Draws(8, "playback")
TRANSFERS = 1000
NUMBERS = np.arange(TRANSFERS)


def made() -> list[Series]:
    """Return made recordings, one of them empty but for a second."""
    lonely = Series(np.arange(3) * SECOND_US, np.array([0, 7919, 0]), 3 * SECOND_US)
    return [lonely, *(rate_series(DRAWS, 30 + 41 * k, k) for k in range(7))]


def mahimahi(folder: Path) -> list[Series]:
    """Return the recorded links of US carriers by the second; a line is 1500 bytes at its ms."""
    found = []
    for path in sorted(folder.glob("*.down.gz")):
        at_ms = np.array(gzip.decompress(path.read_bytes()).split(), np.int64)
        rates = 1500 * np.bincount(at_ms // 1000)
        found.append(Series(np.arange(len(rates)) * SECOND_US, rates, len(rates) * SECOND_US))
    return found


def phones(series: list[Series]) -> Population:
    """Return a phone a transfer, each with a recording and an offset of its own; radios at once."""
    which = DRAWS.integers(NUMBERS, 0, len(series))
    spans_s = np.array([one.span_us for one in series])[which] // SECOND_US
    offsets_s = DRAWS.integers(NUMBERS, 1, 2**31 - 1) % spans_s
    population = steady(
        "lte",
        phones=TRANSFERS,
        series=series,
        rate_series=which,
        offset_us=offsets_s * SECOND_US,
        capacity_uj=10**15,
        cell_up_rate=40_000,
        cell_down_rate=100_000,
    )
    population.world.radios["promotion_us"] = 0
    return population


def rate_at(population: Population, series: list[Series], phone: int, t_us: int, up: bool) -> int:
    """Return the recorded rate of *phone* in the second of *t_us*; two fifths of it upwards."""
    traits = population.traits[phone]
    values = series[int(traits["rate_series"])].values
    rate = int(values[(t_us + int(traits["offset_us"])) // SECOND_US % len(values)])
    return rate * 40_000 // 100_000 if up else rate


def moved(rate: int, start_us: int, end_us: int) -> int:
    """Return the bytes that *rate* moves, in Python's own integers."""
    return rate * end_us // SECOND_US - rate * start_us // SECOND_US


def walk(
    population: Population, series: list[Series], phone: int, start_us: int, size: int, up: bool
) -> int:
    """Return when *size* bytes have gone, second by second, then microsecond by bisection."""
    while True:
        end_us = (start_us // SECOND_US + 1) * SECOND_US
        rate = rate_at(population, series, phone, start_us, up)
        if moved(rate, start_us, end_us) >= size:
            break
        size -= moved(rate, start_us, end_us)
        start_us = end_us
    low_us, high_us = start_us, end_us
    while high_us - low_us > 1:
        middle_us = (low_us + high_us) // 2
        if moved(rate, start_us, middle_us) >= size:
            high_us = middle_us
        else:
            low_us = middle_us
    return high_us


def transfers(deadline_us: int | IntArray, way: str) -> Jobs:
    jobs = Jobs.plan(NUMBERS, kind=Kind.TRAIN, plan_us=0, first=0, load_bytes=-1)
    jobs.rows["plan_us"] = (DRAWS.uniform(NUMBERS, 2) * 5 * DAY_US).astype(np.int64)
    # some of a byte, some of many laps
    jobs.rows[f"{way}_bytes"] = 1 + np.exp(DRAWS.uniform(NUMBERS, 3) * 15).astype(np.int64)
    jobs.rows["deadline_us"] = deadline_us
    return jobs


@pytest.fixture(scope="module", params=["made", "recorded"])
def series(request: pytest.FixtureRequest) -> list[Series]:
    """Recordings that were made here, and those of real links where they are there."""
    if request.param == "made":
        return made()
    return mahimahi(request.getfixturevalue("shared") / "data" / "network" / "mahimahi")


@pytest.mark.parametrize("way", ["down", "up"])
def test_a_thousand_transfers_end_when_a_walk_by_the_second_says(
    series: list[Series], way: str
) -> None:
    population, jobs = phones(series), transfers(NEVER_US, way)
    play_cohort(population.world, jobs.rows)
    assert jobs.done.all()
    for row in jobs.rows:
        size = int(row[f"{way}_bytes"])
        expected = walk(
            population, series, int(row["phone"]), int(row["plan_us"]), size, way == "up"
        )
        assert row["finish_us"] == expected, row


def test_bytes_over_any_interval_are_the_integral_of_the_recording(series: list[Series]) -> None:
    """A transfer without end, cut off at any microsecond."""
    population, jobs = phones(series), transfers(0, "down")
    jobs.rows["down_bytes"] = 10**12
    length_us = 1 + (DRAWS.uniform(NUMBERS, 5) * 200 * SECOND_US).astype(np.int64)
    jobs.rows["deadline_us"] = jobs["plan_us"] + length_us
    play_cohort(population.world, jobs.rows)
    assert np.array_equal(jobs["finish_us"], jobs["deadline_us"])
    for row in jobs.rows:
        t_us, end_us, total = int(row["plan_us"]), int(row["deadline_us"]), 0
        while t_us < end_us:
            next_us = min((t_us // SECOND_US + 1) * SECOND_US, end_us)
            total += moved(
                rate_at(population, series, int(row["phone"]), t_us, False), t_us, next_us
            )
            t_us = next_us
        assert row["downloaded_bytes"] == total
        rate_then = rate_at(population, series, int(row["phone"]), end_us, False)
        assert row["outcome"] == (Outcome.LATE if rate_then else Outcome.LOST_COVERAGE)


def test_phones_start_at_different_places_of_a_recording_by_whole_seconds() -> None:
    recorded = made()
    population = build(PopulationSpec(500, rate_series=recorded), DRAWS)
    traits: Any = population.traits
    spans_us = np.array([one.span_us for one in recorded])[traits["rate_series"]]
    assert (traits["offset_us"] % SECOND_US == 0).all()
    assert (traits["offset_us"] < spans_us).all()
    assert len(np.unique(traits["offset_us"])) > 50
    assert set(traits["rate_series"].tolist()) == set(range(len(recorded)))
