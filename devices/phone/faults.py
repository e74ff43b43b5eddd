"""Faults as functions of time: whether one is on for a phone, and until when at least that holds.

A plan lists its faults as entries, each with windows of time that do not touch. Which phones an
entry may hit is a bit of their traits; which of these a window does hit is drawn.
"""

from enum import IntEnum
from typing import Any

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import uniform_at
from droidloop.platform.law import law
from droidloop.platform.units import NEVER_US


class Ill(IntEnum):
    """What a fault does to a phone; nothing that its laws see, for those of others."""

    NOTHING = 0
    CUT_OFF = 1  # no link to any server
    OFF = 2
    FULL = 3  # no storage is left
    EARLY = 4  # its clock is ahead, by as much as the entry says


FAULT_DTYPE = np.dtype(
    [
        ("ill", np.int8),  # an ``Ill``
        ("share", np.float64),  # of the phones that it may hit, drawn for each window
        ("key", np.uint64),  # of these draws
        ("low", np.int64),  # its windows are those of low..high-1
        ("high", np.int64),
        ("up_us", np.int64),  # within a window on and off by turns; both 0: on all the time
        ("down_us", np.int64),
        ("amount_us", np.int64),
    ]
)
MOST = 62
"""Entries of a plan, as the bits of a phone's traits are so many."""
_EARLY = int(Ill.EARLY)


@law
def fault_at(
    faults: Any, windows: IntArray, mask: int, phone: int, ill: int, t_us: int
) -> tuple[int, int]:
    """Return how much of that *ill* a phone has at *t_us* (0: none), and until when at least.

    It is 1 where an entry has no amount; of several the largest. *faults* and *windows* are those
    of a world, *mask* the phone's trait: a call that passes a whole world is too large to be put
    into its caller, and phones without faults, which are most, would pay for it.
    """
    found, until_us = 0, NEVER_US
    if mask == 0:
        return 0, NEVER_US
    for k in range(len(faults)):
        entry = faults[k]
        if entry.ill != ill or (mask >> k) & 1 == 0:
            continue
        low, high = entry.low, entry.high
        while low < high:  # the first window that ends later
            middle = (low + high) // 2
            if windows[middle, 1] <= t_us:
                low = middle + 1
            else:
                high = middle
        if low == entry.high:
            continue
        start_us, end_us = windows[low, 0], windows[low, 1]
        if t_us < start_us:
            until_us = min(until_us, start_us)
            continue
        if uniform_at(entry.key, phone, low) >= entry.share:
            until_us = min(until_us, end_us)
            continue
        on, change_us = True, end_us
        period_us = entry.up_us + entry.down_us
        if period_us > 0:
            since_us = (t_us - start_us) % period_us
            on = since_us < entry.down_us
            left_us = (entry.down_us if on else period_us) - since_us
            change_us = min(end_us, t_us + left_us)
        until_us = min(until_us, change_us)
        if on:
            found = max(found, max(entry.amount_us, 1))
    return found, until_us


@law
def early_us(faults: Any, windows: IntArray, mask: int, phone: int, t_us: int) -> int:
    """Return by how much the clock of *phone* is ahead at *t_us*; see ``fault_at``."""
    if mask == 0:
        return 0
    return int(fault_at(faults, windows, mask, phone, _EARLY, t_us)[0])
