"""Slow start: bursts that double, a link that fills, and nothing where there is no round trip."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from droidloop.network.slow_start import INITIAL_WINDOW_BYTES, finish_us, next_round
from droidloop.platform.units import SECOND_US, reached

RTT_US = 84_000
rates = st.integers(1000, 10**8)
sizes = st.integers(0, 10**8)
trips = st.integers(0, 500_000)


def walked_us(start_us: int, nbytes: int, rate: int, rtt_us: int, window: int) -> int:
    """Walk from round to round by the law that a phone's transfer calls."""
    t_us, left, burst, round_us = start_us, nbytes, window, start_us + rtt_us
    while left:
        window, burst, round_us = next_round(window, burst, round_us, rtt_us, t_us)
        if window == 0:
            return int(reached(rate, t_us, left))
        if burst == 0:
            t_us = round_us
            continue
        size = min(burst, left)
        end_us = min(int(reached(rate, t_us, size)), round_us)
        sent = min(rate * end_us // SECOND_US - rate * t_us // SECOND_US, size)
        t_us, left, burst = end_us, left - sent, burst - sent
    return t_us


@pytest.mark.parametrize(
    ("kilobytes", "round_trips", "sent"),
    [
        (14.48, 0, 0),
        (14.481, 1, 14_480),
        (43.44, 1, 14_480),
        (101.36, 2, 43_440),
        (500, 5, 448_880),
    ],
)
def test_on_a_fast_link_each_round_trip_sends_twice_as_much(
    kilobytes: float, round_trips: int, sent: int
) -> None:
    """14,480 bytes, then 28,960, 57,920, ...: the rest goes after so many round trips."""
    nbytes, rate = round(1000 * kilobytes), 125_000_000
    expected = reached(rate, round_trips * RTT_US, nbytes - sent)
    assert finish_us(0, nbytes, rate, RTT_US, INITIAL_WINDOW_BYTES) == expected


def test_a_slow_link_is_full_at_once() -> None:
    """1 Mbit/s holds 10.5 kB in a round trip of 84 ms, less than the first window."""
    assert finish_us(0, 10**6, 125_000, RTT_US, INITIAL_WINDOW_BYTES) == reached(125_000, 0, 10**6)


def test_10_mbit_on_lte_lose_some_tenths_of_a_second() -> None:
    """A pipe of 105 kB fills in three rounds, which would have carried it three times over."""
    lost_us = finish_us(0, 10**6, 1_250_000, RTT_US, INITIAL_WINDOW_BYTES) - 800_000
    sent = 14_480 + 28_960 + 57_920
    assert lost_us == pytest.approx(3 * RTT_US - sent / 1.25, abs=2)


@given(st.integers(0, 10**12), sizes, rates, trips, st.sampled_from([0, INITIAL_WINDOW_BYTES, 1]))
def test_the_closed_form_is_the_walk_from_round_to_round(
    start_us: int, nbytes: int, rate: int, rtt_us: int, window: int
) -> None:
    expected = walked_us(start_us, nbytes, rate, rtt_us, window)
    assert finish_us(start_us, nbytes, rate, rtt_us, window) == expected


@given(sizes, rates, trips)
def test_it_costs_time_and_never_more_than_its_round_trips(
    nbytes: int, rate: int, rtt_us: int
) -> None:
    late_us = finish_us(0, nbytes, rate, rtt_us, INITIAL_WINDOW_BYTES) - reached(rate, 0, nbytes)
    rounds = max(nbytes // INITIAL_WINDOW_BYTES, 1).bit_length()
    assert 0 <= late_us <= rounds * rtt_us
