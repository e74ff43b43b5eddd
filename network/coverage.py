"""Coverage as a function of time: renewal processes of covered time and gaps.

Time is cut into blocks of sixteen mean cycles. A block starts covered with the long-run
probability and goes on with exponential durations, all drawn by (phone, block, number), so any
time can be asked about without walking there, and the long-run covered share is the setting.
Gaps of minutes (no coverage) and of seconds (fading) are two such processes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.draws import Key, exponential_at, uniform_at
from droidloop.platform.law import law
from droidloop.platform.units import SECOND_US

CYCLES_PER_BLOCK = 16
_DRAWS_PER_BLOCK = 1 << 16

REGION_DTYPE = np.dtype(
    [
        ("covered_us", np.int64),  # mean time covered between two gaps
        ("gap_us", np.int64),  # mean gap; 0: none
        ("clear_us", np.int64),  # the same for fading
        ("fade_us", np.int64),
        ("rate_percent", np.int64),  # of the radio's nominal rate
    ]
)


@dataclass(frozen=True)
class Region:
    """Where phones live: how much of the time they are covered, and for how long they are not."""

    covered_share: float
    gap_s: float
    fade_share: float = 0.0
    fade_s: float = 2.0
    rate_percent: int = 100

    def row(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Return the region as one row of ``REGION_DTYPE``."""
        row = np.zeros(1, REGION_DTYPE)
        row["covered_us"], row["gap_us"] = _means(self.covered_share, self.gap_s)
        row["clear_us"], row["fade_us"] = _means(1.0 - self.fade_share, self.fade_s)
        row["rate_percent"] = self.rate_percent
        return row


def _means(share: float, gap_s: float) -> tuple[int, int]:
    if share >= 1.0:
        return 0, 0
    gap_us = round(gap_s * SECOND_US)
    return round(gap_us * share / (1.0 - share)), gap_us


@law
def renewal_at(key: Key, row: int, t_us: int, up_us: int, down_us: int) -> tuple[bool, int]:
    """Return whether the process of *row* is up at *t_us*, and until when at least."""
    if down_us == 0 or up_us == 0:
        return down_us == 0, 2**62
    block_us = CYCLES_PER_BLOCK * (up_us + down_us)
    block = t_us // block_us
    change_us = block * block_us
    end_us = change_us + block_us
    counter = block * _DRAWS_PER_BLOCK
    up = uniform_at(key, row, counter) * (up_us + down_us) < up_us
    for step in range(1, _DRAWS_PER_BLOCK):
        mean_us = up_us if up else down_us
        change_us += 1 + int(exponential_at(key, row, counter + step, mean_us))
        if change_us > t_us:
            break
        up = not up
    return up, min(change_us, end_us)
