"""Uplinks where only the downlink was recorded: a share of it, with its source."""

from .formats import LinkTrace
from .gaps import per_second
from .trace import Series

# Uplink over downlink. T-Mobile UMTS: means of the two directions of one drive (Winstein et al.,
# NSDI 2013). LTE and 5G: means of speed tests by 2,536 engineers in 51 countries, March to May 2022
# (Cellsmart's Global Cellular Performance Survey); Ookla's medians of 5G worldwide, third quarter
# of 2021, give 21.08 of 166.13 Mbit/s, 0.127.
UPLINK_SHARE = {"3g": 0.467, "lte": 0.36, "5g": 0.13}


def uplink_share(trace: LinkTrace) -> float:
    """Return the recorded uplink's mean over the downlink's.

    Raises:
        ValueError: *trace* has no uplink.
    """
    if trace.up is None:
        raise ValueError(f"trace {trace.name!r} has no uplink")
    return float(per_second(trace.up).mean() / per_second(trace.down).mean())


def uplink(trace: LinkTrace, share: float) -> Series:
    """Return the recorded uplink, or else *share* of the downlink at every time."""
    if trace.up is not None:
        return trace.up
    if not 0.0 <= share <= 10.0:
        raise ValueError(f"an uplink share lies in 0..10, not {share}")
    per_million = round(share * 1_000_000)
    values = trace.down.values * per_million // 1_000_000
    return Series(trace.down.times_us, values, trace.down.span_us)
