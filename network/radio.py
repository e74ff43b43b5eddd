"""The laws of a radio: power while it transfers, tail and promotion; all on integers.

Active power is ``alpha_up * up_rate + alpha_down * down_rate + beta`` (Huang et al., A close
examination of performance and power characteristics of 4G LTE networks, MobiSys 2012, equation 1).
A tail is cut short by the next transfer.
"""

from typing import Any

from droidloop.platform.law import law

from .presets import PRESETS
from .rrc import RADIO_DTYPE, Radio

__all__ = [
    "CELLULAR",
    "NO_RADIO",
    "PRESETS",
    "RADIO_DTYPE",
    "WIFI",
    "Radio",
    "active_uw",
    "promotion_at",
    "tail_at",
]

NO_RADIO = -1
CELLULAR = 0
WIFI = 1


@law
def active_uw(radio: Any, rate: int, up: bool) -> int:
    """Return the power of a transfer at *rate* bytes/s (Huang 2012, equation 1)."""
    per_mbps = radio.up_uw if up else radio.down_uw
    return int(radio.base_uw + per_mbps * rate * 8 // 1_000_000)


@law
def tail_at(radio: Any, end_us: int, t_us: int) -> tuple[int, int]:
    """Return the tail's power at *t_us* after a transfer that ended at *end_us*, and until when.

    A negative *end_us* says that no transfer has ended: none yet, or one is under way.
    """
    if end_us < 0 or t_us >= end_us + radio.tail_us + radio.tail2_us:
        return 0, 2**62
    if t_us < end_us + radio.tail_us:
        return radio.tail_uw, end_us + radio.tail_us
    return radio.tail2_uw, end_us + radio.tail_us + radio.tail2_us


@law
def promotion_at(radio: Any, end_us: int, t_us: int) -> tuple[int, int]:
    """Return duration and power of the promotion that a transfer at *t_us* begins with."""
    if end_us < 0 or t_us >= end_us + radio.tail_us + radio.tail2_us:
        return radio.promotion_us, radio.promotion_uw
    if t_us < end_us + radio.tail_us:
        return 0, 0
    return radio.resume_us, radio.resume_uw
