"""Losses in bursts and round trips: random access equals a walk, long runs equal the settings."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit

from droidloop.network.loss import (
    QUALITY,
    SEGMENT_BYTES,
    TIMEOUT_US,
    Quality,
    bad_at,
    goodput,
    handshake_us,
    lost_at,
    rtt_at,
)
from droidloop.platform.draws import Draws, Key, uniform_at
from droidloop.platform.units import SECOND_US

KEY = Draws(11, "loss").key
CELLULAR = ["3g", "lte", "5g"]


def law(quality: Quality) -> Any:
    return quality.row()[0]


@njit
def walk(key: Key, row: int, steps: int, bad: float, good: float, state: bool) -> Any:
    """The chain step by step from *state*, by the same draws."""
    states = np.zeros(steps, np.bool_)
    for step in range(steps):
        chance = uniform_at(key, row, 2 * step)
        state = chance < (1.0 - good if state else bad)
        states[step] = state
    return states


@njit
def asked(key: Key, row: int, steps: int, bad: float, good: float) -> Any:
    states = np.zeros(steps, np.bool_)
    for step in range(steps):
        states[step] = bad_at(key, row, step, bad, good)
    return states


@pytest.mark.parametrize(
    ("bad", "good"), [(0.0232, 0.505), (0.0007, 0.0116), (0.5, 0.5), (0.9, 0.7), (0.0, 1.0)]
)
def test_any_step_asked_alone_equals_the_walk_from_either_state(bad: float, good: float) -> None:
    """The chain forgets its beginning: after that, walks from good and from bad agree with it."""
    for row in range(5):
        states = asked(KEY, row, 20_000, bad, good)
        for start in (False, True):
            assert (walk(KEY, row, 20_000, bad, good, start)[5000:] == states[5000:]).all()


@pytest.mark.parametrize("radio", CELLULAR)
def test_the_long_run_loses_the_published_share_in_bursts_of_the_published_length(
    radio: str,
) -> None:
    quality = QUALITY[radio]
    published = {"3g": (0.0439, 1.98), "lte": (0.0116, 1.5), "5g": (0.0068, 1.84)}[radio]
    assert (quality.loss, 1 / quality.good) == pytest.approx(published, rel=0.02)
    steps = 1_000_000
    states = asked(KEY, 3, steps, quality.bad, quality.good)
    bursts = np.count_nonzero(np.diff(states.astype(int)) == 1)
    # four standard errors: bursts are geometric, their lengths as well
    tolerance = 4 * (2 / (quality.bad * steps)) ** 0.5
    assert states.mean() == pytest.approx(quality.loss, rel=tolerance)
    assert states.sum() / bursts == pytest.approx(1 / quality.good, rel=tolerance)


def test_five_pings_in_a_row_pass_as_often_as_they_did_on_3g() -> None:
    """12.9 % of the windows of five pings had a loss."""
    quality = QUALITY["3g"]
    states = asked(KEY, 5, 500_000, quality.bad, quality.good).reshape(-1, 5)
    assert states.any(axis=1).mean() == pytest.approx(0.129, abs=0.003)


def test_each_state_loses_with_a_probability_of_its_own() -> None:
    quality = Quality(100, 100, bad=0.05, good=0.2, lost_in_bad=0.5, lost_in_good=0.01)
    assert quality.loss == pytest.approx(0.2 * 0.5 + 0.8 * 0.01)
    one = law(quality)
    lost = np.array([lost_at(KEY, 1, t * SECOND_US, one) for t in range(40_000)])
    assert lost.mean() == pytest.approx(quality.loss, abs=0.01)
    states = asked(KEY, 1, 40_000, quality.bad, quality.good)
    assert lost[~states].mean() == pytest.approx(0.01, abs=0.003)


def test_within_one_step_loss_does_not_change() -> None:
    one = law(QUALITY["3g"])
    for step in range(300):
        first = lost_at(KEY, 2, step * SECOND_US, one)
        assert first == lost_at(KEY, 2, (step + 1) * SECOND_US - 1, one)


@pytest.mark.parametrize(
    ("radio", "median_ms", "p95_ms"), [("3g", 123, 359), ("lte", 84, 106), ("5g", 72, 91)]
)
def test_round_trips_have_the_measured_median_and_95th_percentile(
    radio: str, median_ms: float, p95_ms: float
) -> None:
    one = law(QUALITY[radio])
    trips = np.array([rtt_at(KEY, 4, k, one) for k in range(20_000)]) / 1000
    assert np.percentile(trips, [50, 95]) == pytest.approx([median_ms, p95_ms], rel=0.02)


def test_the_measured_pings_have_these_medians_and_losses(shared: Path) -> None:
    """Straight from the logs: mean of five pings in each row that has one."""
    import csv
    import gzip

    modes = {"HSPA+": "3g", "LTE": "lte", "5G": "5g"}
    trips: dict[str, list[float]] = {name: [] for name in modes.values()}
    losses: dict[str, list[float]] = {name: [] for name in modes.values()}
    for file in sorted((shared / "data/network/raca-5g").glob("*.csv.gz")):
        previous = None
        with gzip.open(file, "rt") as stream:
            for row in csv.DictReader(stream):
                radio = modes.get(row["NetworkMode"])
                window = tuple(row[f"PING{name}"] for name in ("AVG", "MIN", "MAX", "LOSS"))
                if radio and window[0] != "-" and window != previous:
                    trips[radio].append(float(window[0]))
                    losses[radio].append(float(window[3]))
                previous = window
    for radio in CELLULAR:
        assert np.median(trips[radio]) == pytest.approx(QUALITY[radio].rtt_ms, rel=0.03)
        assert np.mean(losses[radio]) / 100 == pytest.approx(QUALITY[radio].loss, rel=0.1)


def test_a_handshake_without_loss_takes_its_round_trips() -> None:
    assert handshake_us(KEY, 0, 5, 20_000, 2, law(QUALITY["wifi"])) == 40_000


def test_a_lost_round_trip_waits_for_its_timeout_and_the_next_for_twice_as_long() -> None:
    one = law(QUALITY["3g"])
    lost = [lost_at(KEY, 9, t * SECOND_US, one) for t in range(4000)]
    single = next(t for t in range(4000) if lost[t] and not lost[t + 1])
    double = next(t for t in range(4000) if lost[t] and lost[t + 1] and not lost[t + 3])
    clean = next(t for t in range(4000) if not lost[t])
    rtt_us = 100_000
    assert handshake_us(KEY, 9, clean * SECOND_US, rtt_us, 1, one) == rtt_us
    assert handshake_us(KEY, 9, single * SECOND_US, rtt_us, 1, one) == TIMEOUT_US + rtt_us
    assert handshake_us(KEY, 9, double * SECOND_US, rtt_us, 1, one) == 3 * TIMEOUT_US + rtt_us


def test_a_link_that_loses_all_lets_a_handshake_pass_at_last() -> None:
    dead = law(Quality(100, 100, bad=0.999, good=0.001))
    waits = [handshake_us(KEY, 0, t * 1000 * SECOND_US, 1, 1, dead) for t in range(50)]
    assert max(waits) == (2**6 - 1) * TIMEOUT_US + 1


def test_a_slow_link_loses_what_is_sent_again_and_a_fast_one_what_tcp_does_not_dare() -> None:
    one = law(QUALITY["3g"])
    assert goodput(1000, 123_000, one) == 956
    cap = SEGMENT_BYTES / 0.123 * (1.5 / QUALITY["3g"].events) ** 0.5
    assert goodput(10 * int(cap), 123_000, one) == pytest.approx(0.956 * cap, rel=1e-4)
    assert goodput(10 * int(cap), 246_000, one) == pytest.approx(0.956 * cap / 2, rel=1e-4)


def test_goodput_falls_with_the_round_trip_and_never_with_the_rate() -> None:
    one = law(QUALITY["lte"])
    delivered = [goodput(2**k, 84_000, one) for k in range(36)]
    assert delivered == sorted(delivered)
    assert all(0 < some <= 2**k for k, some in enumerate(delivered))
    rates = [goodput(10**7, rtt_us, one) for rtt_us in range(1000, 500_000, 7000)]
    assert rates == sorted(rates, reverse=True)


def test_no_link_delivers_nothing_and_one_without_loss_all() -> None:
    assert goodput(0, 84_000, law(QUALITY["lte"])) == 0
    assert goodput(10**9, 20_000, law(QUALITY["wifi"])) == 10**9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bad": 1.5}, "chances must lie"),
        ({"bad": 0.1, "good": 0.0}, "good above 0"),
        ({"bad": 1.0, "good": 1.0}, "no long run"),
        ({"rtt_p95_ms": 1.0}, "rtt_ms <= rtt_p95_ms"),
    ],
)
def test_impossible_qualities_are_refused(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Quality(**({"rtt_ms": 10.0, "rtt_p95_ms": 20.0} | change))
