"""Radios: promotion, active, tail and idle, with the power and the times published for them.

Source of the ``2012`` preset: Huang et al., A close examination of performance and power
characteristics of 4G LTE networks, MobiSys 2012, tables 3 and 4: active power is
``alpha_up * up_rate + alpha_down * down_rate + beta``. A tail is cut short by the next transfer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit

NO_RADIO = -1
CELLULAR = 0
WIFI = 1

RADIO_DTYPE = np.dtype(
    [
        ("promotion_us", np.int64),  # from idle
        ("promotion_uw", np.int64),
        ("resume_us", np.int64),  # from the second part of the tail (3G: FACH to DCH)
        ("resume_uw", np.int64),
        ("base_uw", np.int64),  # while active, at any rate
        ("down_uw", np.int64),  # per Mbit/s
        ("up_uw", np.int64),
        ("tail_us", np.int64),  # first part
        ("tail_uw", np.int64),
        ("tail2_us", np.int64),  # second part
        ("tail2_uw", np.int64),
        ("idle_uw", np.int64),  # paging or beacons, as a mean
        ("rtt_us", np.int64),
        ("handshakes", np.int64),  # round trips before the first byte (TCP and TLS 1.3: 2)
    ]
)


@dataclass(frozen=True)
class Radio:
    """One radio technology of one preset; powers in milliwatts as the papers print them."""

    promotion_ms: float
    promotion_mw: float
    base_mw: float
    down_mw_per_mbps: float
    up_mw_per_mbps: float
    tail_ms: float
    tail_mw: float
    idle_mw: float
    rtt_ms: float
    tail2_ms: float = 0.0
    tail2_mw: float = 0.0
    resume_ms: float = 0.0
    resume_mw: float = 0.0
    handshakes: int = 2

    def row(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Return the radio as one row of ``RADIO_DTYPE``: integers, microseconds and microwatts."""
        row = np.zeros(1, RADIO_DTYPE)
        for name in ("promotion", "resume", "tail", "tail2"):
            row[f"{name}_us"] = round(getattr(self, f"{name}_ms") * 1000)
            row[f"{name}_uw"] = round(getattr(self, f"{name}_mw") * 1000)
        row["base_uw"] = round(self.base_mw * 1000)
        row["down_uw"] = round(self.down_mw_per_mbps * 1000)
        row["up_uw"] = round(self.up_mw_per_mbps * 1000)
        row["idle_uw"] = round(self.idle_mw * 1000)
        row["rtt_us"] = round(self.rtt_ms * 1000)
        row["handshakes"] = self.handshakes
        return row


# The LTE tail's mean power includes the DRX pulses: 1 ms at 1680.1 mW in every 40 ms.
PRESETS: dict[str, dict[str, Radio]] = {
    "2012": {
        "3g": Radio(
            promotion_ms=582.1,
            promotion_mw=659.4,
            base_mw=817.88,
            down_mw_per_mbps=122.12,
            up_mw_per_mbps=868.98,
            tail_ms=8088.2,
            tail_mw=803.9,
            tail2_ms=824.2,
            tail2_mw=601.3,
            resume_ms=1500.0,
            resume_mw=490.0,
            idle_mw=374.2 * 45.5 / 5112.4,
            rtt_ms=123.0,
        ),
        "lte": Radio(
            promotion_ms=260.1,
            promotion_mw=1210.7,
            base_mw=1288.04,
            down_mw_per_mbps=51.97,
            up_mw_per_mbps=438.39,
            tail_ms=11576.0,
            tail_mw=1060.0 + (1680.1 - 1060.0) / 40.0,
            idle_mw=594.3 * 43.2 / 1280.2,
            rtt_ms=84.0,
        ),
        "wifi": Radio(
            promotion_ms=79.1,
            promotion_mw=124.4,
            base_mw=132.86,
            down_mw_per_mbps=137.01,
            up_mw_per_mbps=283.17,
            tail_ms=238.1,
            tail_mw=119.3,
            idle_mw=77.2 * 7.6 / 308.2,
            rtt_ms=20.0,
        ),
    }
}


@njit(cache=True, inline="always")
def active_uw(radio: Any, rate: int, up: bool) -> int:
    """Return the power of a transfer at *rate* bytes/s (Huang 2012, equation 1)."""
    per_mbps = radio.up_uw if up else radio.down_uw
    return int(radio.base_uw + per_mbps * rate * 8 // 1_000_000)


@njit(cache=True, inline="always")
def tail_at(radio: Any, end_us: int, t_us: int) -> tuple[int, int]:
    """Return the tail's power at *t_us* after a transfer that ended at *end_us*, and until when.

    A negative *end_us* says that no transfer has ended: none yet, or one is under way.
    """
    if end_us < 0 or t_us >= end_us + radio.tail_us + radio.tail2_us:
        return 0, 2**62
    if t_us < end_us + radio.tail_us:
        return radio.tail_uw, end_us + radio.tail_us
    return radio.tail2_uw, end_us + radio.tail_us + radio.tail2_us


@njit(cache=True, inline="always")
def promotion_at(radio: Any, end_us: int, t_us: int) -> tuple[int, int]:
    """Return duration and power of the promotion that a transfer at *t_us* begins with."""
    if end_us < 0 or t_us >= end_us + radio.tail_us + radio.tail2_us:
        return radio.promotion_us, radio.promotion_uw
    if t_us < end_us + radio.tail_us:
        return 0, 0
    return radio.resume_us, radio.resume_uw
