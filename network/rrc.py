"""What makes a radio: the operator's timers and the phone's powers, two records joined to one.

A radio is promotion, active, tail (of two parts) and idle, with their powers and times.
Timers belong to the network (how long it keeps a phone connected), powers to the phone (what each
state costs). Either can be replaced by one's own: ``join(my_timers, HUANG_2012_LTE_PHONE)``.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

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
        ("window_bytes", np.int64),  # of a new connection; 0: no slow start
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
    window_bytes: int = 0

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
        row["window_bytes"] = self.window_bytes
        return row


@dataclass(frozen=True)
class Drx:
    """An operator's discontinuous reception: what LTE and 5G do between last byte and release.

    Continuous reception for *inactivity_ms*; short cycles for *short_ms*; long cycles up to
    *release_ms*, counted from the last byte; then idle. In a cycle the receiver is on for *on_ms*.
    """

    inactivity_ms: float
    short_ms: float
    short_cycle_ms: float
    long_cycle_ms: float
    on_ms: float
    release_ms: float

    def __post_init__(self) -> None:
        if min(self.short_cycle_ms, self.long_cycle_ms) < self.on_ms or self.on_ms < 0:
            raise ValueError("a cycle must be at least as long as the receiver is on in it")
        if not 0 <= self.inactivity_ms + self.short_ms <= self.release_ms:
            raise ValueError("inactivity and short cycles must end before the release")


@dataclass(frozen=True)
class Timers:
    """What an operator sets: durations in milliseconds. With *drx*, the tails follow from it."""

    promotion_ms: float
    rtt_ms: float
    tail_ms: float = 0.0
    tail2_ms: float = 0.0
    resume_ms: float = 0.0
    paging_ms: float = 0.0
    drx: Drx | None = None


@dataclass(frozen=True)
class Powers:
    """What a phone takes: powers in milliwatts, the screen and all else left out.

    *tail_mw* is the tail's base; *drx_on_mw* the power of a receiver that is on in a DRX cycle;
    *continuous_mw* that of continuous reception, as in long cycles where none is given. In idle the
    phone listens for *paging_on_ms* in every paging period at *paging_mw*, on top of *idle_mw*.
    """

    promotion_mw: float
    base_mw: float
    down_mw_per_mbps: float
    up_mw_per_mbps: float
    tail_mw: float
    tail2_mw: float = 0.0
    resume_mw: float = 0.0
    drx_on_mw: float = 0.0
    continuous_mw: float | None = None
    idle_mw: float = 0.0
    paging_mw: float = 0.0
    paging_on_ms: float = 0.0


def join(timers: Timers, powers: Powers) -> Radio:
    """Return the radio of a phone with *powers* in the network of an operator with *timers*.

    DRX becomes a tail of two parts with mean powers: continuous reception and short cycles, then
    long cycles. A transfer that starts in either pays no promotion.
    """
    tail_ms, tail_mw, tail2_ms, tail2_mw = (
        drx_tail(timers.drx, powers)
        if timers.drx
        else (
            timers.tail_ms,
            powers.tail_mw,
            timers.tail2_ms,
            powers.tail2_mw,
        )
    )
    idle_mw = powers.idle_mw
    if timers.paging_ms:
        idle_mw += powers.paging_mw * powers.paging_on_ms / timers.paging_ms
    return Radio(
        promotion_ms=timers.promotion_ms,
        promotion_mw=powers.promotion_mw,
        base_mw=powers.base_mw,
        down_mw_per_mbps=powers.down_mw_per_mbps,
        up_mw_per_mbps=powers.up_mw_per_mbps,
        tail_ms=tail_ms,
        tail_mw=tail_mw,
        tail2_ms=tail2_ms,
        tail2_mw=tail2_mw,
        resume_ms=timers.resume_ms,
        resume_mw=powers.resume_mw,
        idle_mw=idle_mw,
        rtt_ms=timers.rtt_ms,
    )


def drx_tail(drx: Drx, powers: Powers) -> tuple[float, float, float, float]:
    """Return duration and mean power of the tail's two parts: before and in the long cycles."""
    pulse_mw = powers.drx_on_mw - powers.tail_mw
    short_mw = powers.tail_mw + pulse_mw * drx.on_ms / drx.short_cycle_ms
    long_mw = powers.tail_mw + pulse_mw * drx.on_ms / drx.long_cycle_ms
    continuous_mw = long_mw if powers.continuous_mw is None else powers.continuous_mw
    first_ms = drx.inactivity_ms + drx.short_ms
    if first_ms == 0:
        return drx.release_ms, long_mw, 0.0, 0.0
    first_mw = (drx.inactivity_ms * continuous_mw + drx.short_ms * short_mw) / first_ms
    return first_ms, first_mw, drx.release_ms - first_ms, long_mw
