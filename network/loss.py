"""Round trips and losses: how long a connection takes, and what a lossy link leaves of its rate.

Loss comes in bursts: a chain of a good and a bad state (Gilbert 1960; Elliott, Estimates of error
rates for codes on burst-noise channels, 1963), each losing packets with a probability of its own.
Its state at any step is found without walking there: with one uniform draw a step, a draw below
min(p, 1 - r) makes the state bad whatever it was, one from max(p, 1 - r) on makes it good, so it
is enough to look back to the last such draw (coupling from the past: Propp and Wilson 1996).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from droidloop.platform.draws import Key, normal_at, uniform_at
from droidloop.platform.law import law
from droidloop.platform.units import SECOND_US

QUALITY_DTYPE = np.dtype(
    [
        ("rtt_us", np.int64),  # median
        ("rtt_sigma", np.float64),  # of its logarithm
        ("bad", np.float64),  # probability a step from good to bad
        ("good", np.float64),  # and back
        ("lost_in_bad", np.float64),
        ("lost_in_good", np.float64),
        ("step_us", np.int64),
        ("loss_per_mille", np.int64),  # long-run share of lost packets
        ("events_ppb", np.int64),  # bursts a packet, in 1e-9
    ]
)

SEGMENT_BYTES = 1448
"""What a full TCP segment carries: 1500 bytes less headers with time stamps."""

TIMEOUT_US = SECOND_US
"""First retransmission timeout of a connection (RFC 6298); it doubles with every further one."""

TRIES = 6
_LOOK_BACK = 1 << 20
_P95 = 1.6448536269514722  # the standard normal's


@dataclass(frozen=True)
class Quality:
    """Round trips (log-normal, by median and 95th percentile) and the chain of losses."""

    rtt_ms: float
    rtt_p95_ms: float
    bad: float = 0.0
    good: float = 1.0
    lost_in_bad: float = 1.0
    lost_in_good: float = 0.0
    step_s: float = 1.0

    def __post_init__(self) -> None:
        chances = (self.bad, self.good, self.lost_in_bad, self.lost_in_good)
        if not all(0.0 <= chance <= 1.0 for chance in chances) or self.good == 0.0:
            raise ValueError(f"chances must lie in 0..1, and good above 0: {chances}")
        if self.bad + self.good == 2.0:
            raise ValueError("a chain that changes at every step has no long run")
        if not 0.0 < self.rtt_ms <= self.rtt_p95_ms or self.step_s <= 0.0:
            raise ValueError("0 < rtt_ms <= rtt_p95_ms and 0 < step_s must hold")

    @property
    def bad_share(self) -> float:
        """Long-run share of bad steps."""
        return self.bad / (self.bad + self.good)

    @property
    def loss(self) -> float:
        """Long-run share of lost packets."""
        return self.bad_share * self.lost_in_bad + (1.0 - self.bad_share) * self.lost_in_good

    @property
    def events(self) -> float:
        """Bursts of loss a packet: TCP halves its rate once a burst, not once a packet."""
        good = 1.0 - self.bad_share
        begins = good * (self.bad * self.lost_in_bad + (1.0 - self.bad) * self.lost_in_good)
        return min(begins, self.loss)

    def row(self) -> np.ndarray[Any, np.dtype[np.void]]:
        """Return the quality as one row of ``QUALITY_DTYPE``."""
        row = np.zeros(1, QUALITY_DTYPE)
        row["rtt_us"] = round(self.rtt_ms * 1000)
        row["rtt_sigma"] = np.log(self.rtt_p95_ms / self.rtt_ms) / _P95
        for name in ("bad", "good", "lost_in_bad", "lost_in_good"):
            row[name] = getattr(self, name)
        row["step_us"] = round(self.step_s * SECOND_US)
        row["loss_per_mille"] = round(self.loss * 1000)
        row["events_ppb"] = round(self.events * 1e9)
        return row


# Pings on an Irish network, 2019-20 (Raca et al., MMSys 2020): medians and 95th percentiles, and
# chains that give both the loss and the share of five pings in a row without one. About one ping a
# second: bursts of packets sent back to back may be shorter. WiFi: not measured; no loss.
QUALITY = {
    "3g": Quality(123.0, 359.0, bad=0.0232, good=0.505),
    "lte": Quality(84.0, 106.0, bad=0.0078, good=0.667),
    "5g": Quality(72.0, 91.0, bad=0.00375, good=0.543),
    "wifi": Quality(20.0, 20.0),
}


@law
def bad_at(key: Key, row: int, step: int, bad: float, good: float) -> bool:
    """Return whether the chain of *row* is bad at *step*; any step may be asked about."""
    low, high = min(bad, 1.0 - good), max(bad, 1.0 - good)
    turned = False
    for back in range(_LOOK_BACK):
        chance = uniform_at(key, row, 2 * (step - back))
        if chance < low:
            return not turned
        if chance >= high:
            return turned
        # in between the state stays, or turns where turning is what both states would do
        if bad > 1.0 - good:
            turned = not turned
    return turned


@law
def lost_at(key: Key, row: int, t_us: int, law: Any) -> bool:
    """Return whether what *row* sends at *t_us* is lost."""
    step = t_us // law.step_us
    chance = law.lost_in_bad if bad_at(key, row, step, law.bad, law.good) else law.lost_in_good
    return bool(uniform_at(key, row, 2 * step + 1) < chance)


@law
def rtt_at(key: Key, row: int, counter: int, law: Any) -> int:
    """Return the round-trip time number *counter* of *row*, in microseconds."""
    return int(np.rint(law.rtt_us * np.exp(law.rtt_sigma * normal_at(key, row, counter))))


@law
def handshake_us(key: Key, row: int, t_us: int, rtt_us: int, round_trips: int, law: Any) -> int:
    """Return how long *round_trips* take that begin at *t_us*: a lost one waits for its timeout.

    After ``TRIES`` losses in a row the next one passes: a phone does not give up here.
    """
    now_us = t_us
    for _ in range(round_trips):
        timeout_us = TIMEOUT_US
        for _ in range(TRIES):
            if not lost_at(key, row, now_us, law):
                break
            now_us += timeout_us
            timeout_us *= 2
        now_us += rtt_us
    return int(now_us - t_us)


@law
def goodput(rate: int, rtt_us: int, law: Any) -> int:
    """Return what loss leaves of a link of *rate* bytes/s, at least 1 where there is a link.

    Lost packets are sent again: ``1 - loss``. And TCP does not fill a link beyond
    ``segment / rtt * sqrt(3 / (2 events))`` (Mathis, Semke, Mahdavi, Ott: The macroscopic behavior
    of the TCP congestion avoidance algorithm, 1997), events being bursts a packet. An upper bound
    of the harm: mobile networks repeat most lost blocks below TCP, which pings show as delay. Not
    for recorded application throughput, which has its losses in it.
    """
    if rate <= 0:
        return 0
    if law.events_ppb > 0:
        cap = SEGMENT_BYTES * 1e6 / max(rtt_us, 1) * np.sqrt(1.5e9 / law.events_ppb)
        rate = int(min(float(rate), cap))
    return int(max(rate * (1000 - law.loss_per_mille) // 1000, 1))
