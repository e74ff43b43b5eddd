"""Integers for physics: microseconds, bytes, microwatts, microjoules.

Sums of differences of one integer integral are exact, so energy by parts equals the whole and
closed-form times equal a step-by-step walk. Seconds and joules appear in reports alone.
"""

from .law import law

MILLISECOND_US = 1_000
SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US

NEVER_US = 2**62
"""A time that no run reaches; leaves room to add to it."""


@law
def integral(rate: int, t_us: int) -> int:
    """Return ``floor(rate * t_us / 1e6)`` for a non-negative *rate* per second, without overflow.

    With a rate in microwatts the result is microjoules, with bytes per second it is bytes. What
    happens between two times is the difference of two integrals, which makes parts add up exactly.
    """
    return rate * (t_us // 1_000_000) + rate * (t_us % 1_000_000) // 1_000_000


@law
def between(rate: int, start_us: int, end_us: int) -> int:
    """Return what a constant *rate* per second amounts to from *start_us* to *end_us*."""
    return integral(rate, end_us) - integral(rate, start_us)


@law
def reached(rate: int, start_us: int, amount: int) -> int:
    """Return the first time at which ``between(rate, start_us, time) >= amount``; *rate* > 0.

    ``NEVER_US`` where that lies beyond all times.
    """
    if amount <= 0:
        return start_us
    target = integral(rate, start_us) + amount
    whole_s = target // rate
    if whole_s >= NEVER_US // 1_000_000:
        return NEVER_US
    rest = target - whole_s * rate
    return whole_s * 1_000_000 + (rest * 1_000_000 + rate - 1) // rate


def seconds(t_us: float) -> float:
    """Return *t_us* microseconds in seconds, for reports."""
    return t_us / SECOND_US


def joules(energy_uj: float) -> float:
    """Return *energy_uj* microjoules in joules, for reports."""
    return energy_uj / 1_000_000
