"""Gaps in recorded links: the two-state chain of each second, fitted, and regions made of it.

A second is bad where no more than a threshold arrives in it. The chain (Gilbert, Capacity of a
burst-noise channel, 1960) goes bad with probability p a second and good again with r, so that a
gap lasts 1/r seconds in the mean. Two regimes must not be mixed: without coverage for minutes
(Oslo's commuters), and fading for seconds (cars in US cities).
"""

from typing import NamedTuple

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.units import SECOND_US

from .coverage import Region
from .trace import Series, delivered


class GapFit(NamedTuple):
    """Mean seconds between two gaps, and of a gap; infinite and 0 where there was none."""

    covered_mean_s: float
    gap_mean_s: float

    @property
    def gap_share(self) -> float:
        """Share of the time in gaps: p / (p + r)."""
        return self.gap_mean_s / (self.gap_mean_s + self.covered_mean_s)


def per_second(series: Series) -> IntArray:
    """Return what each second of one lap of *series* delivers."""
    edges_us = np.arange(0, series.span_us + 1, SECOND_US)
    return np.diff(delivered(series.times_us, series.values, edges_us))


def region(no_coverage: GapFit | None, fading: GapFit | None, rate_percent: int = 100) -> Region:
    """Return the region with these two processes; None: the region has none of that kind."""
    return Region(
        covered_share=1.0 - no_coverage.gap_share if no_coverage else 1.0,
        gap_s=no_coverage.gap_mean_s if no_coverage else 0.0,
        fade_share=fading.gap_share if fading else 0.0,
        fade_s=fading.gap_mean_s if fading else 2.0,
        rate_percent=rate_percent,
    )


# Fitted to traces at threshold 0. Oslo: 86 commutes on 3G (Riiser et al., MMSys 2013). Ghent: 40
# ways on LTE (van der Hooft et al., 2016). US: drives, T-Mobile UMTS and Verizon EV-DO (Winstein et
# al., NSDI 2013). A gap in Oslo lasts five seconds at least, one elsewhere rarely more.
OSLO_3G = GapFit(106_306 / 77, 6036 / 70)
GHENT_4G = GapFit(17_913 / 37, 105 / 37)
US_UMTS = GapFit(896 / 17, 32 / 17)
US_EVDO = GapFit(1019 / 12, 43 / 12)

FITTED = {
    "oslo-3g": region(OSLO_3G, None),
    "ghent-4g": region(None, GHENT_4G),
    "us-umts": region(None, US_UMTS),
    "us-evdo": region(None, US_EVDO),
    # both regimes at once: where Oslo's gaps come on top of a city's fading
    "commute-3g": region(OSLO_3G, US_UMTS),
}
