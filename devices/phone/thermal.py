"""Heat: a phone that computes without a pause slows down after a while.

The source is one run of training on a phone, 176 s on four cores (MNN training benchmark,
UbiquitousLearning/Benchmark-On-Device-Training 752659f, ``freq_temperature.csv``). Its best split
into two levels lies after 11 samples: a mean clock of 1672 MHz for 13.2 s, then 1492 MHz, 89 %.
How a phone recovers is not in it: assumed is that it cools as long as it was heated. Energy per
operation stays that of full speed, so power falls with the clock; a lower voltage would save more.
"""

from typing import Any

from droidloop.platform.law import law
from droidloop.platform.units import NEVER_US

SUSTAINED_US = 13_200_000
THROTTLED_PERCENT = 89


@law
def heat_at(state: Any, t_us: int) -> int:
    """Return for how long the phone has computed at *t_us* that it has not yet cooled down from."""
    return int(max(state.heat_us - (t_us - state.heat_at_us), 0))


@law
def computing_ends(traits: Any, state: Any, start_us: int, work_us: int) -> tuple[int, int]:
    """Return when *work_us* at full speed, begun at *start_us*, is throttled, and when it ends."""
    if traits.throttle_us >= NEVER_US:
        return NEVER_US, start_us + work_us
    full_us = max(traits.throttle_us - heat_at(state, start_us), 0)
    slow_us = max(work_us - full_us, 0)
    percent = traits.throttle_percent
    return start_us + full_us, start_us + work_us - slow_us + (
        slow_us * 100 + percent - 1
    ) // percent


@law
def heat_up(traits: Any, state: Any, start_us: int, end_us: int) -> None:
    """Note that the phone has computed from *start_us* to *end_us*."""
    if traits.throttle_us < NEVER_US and end_us > start_us:
        heat_us = heat_at(state, start_us) + end_us - start_us
        state.heat_us = min(heat_us, traits.throttle_us)
        state.heat_at_us = end_us
