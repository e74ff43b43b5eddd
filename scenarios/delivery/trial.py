"""Whether a stage of a release has gone well enough for the next one."""

from dataclasses import dataclass

import numpy as np

from droidloop.platform.arrays import Array
from droidloop.platform.intervals import interval
from droidloop.scenarios.schema.delivery_section import DeliverySection


@dataclass(frozen=True)
class Trial:
    """What a stage's phones have shown.

    Attributes:
        tried: how many had fetched the version and put it to the proof.
        failed: how many of those refused it.
        slower: for each phone that computed lists before and after, the ratio of their times.
        gained: for each phone that had a version before, what its lists have gained.
    """

    tried: int
    failed: int
    slower: Array
    gained: Array

    @property
    def failed_share(self) -> float:
        """Of those that tried; NaN: nobody has."""
        return self.failed / self.tried if self.tried else float("nan")

    @property
    def slower_median(self) -> float:
        """How many times as long lists take; NaN: nobody can tell."""
        return float(np.median(self.slower)) if len(self.slower) else float("nan")

    @property
    def gain(self) -> tuple[float, float]:
        """The mean gain and the upper end of its interval; NaN: fewer than two phones tell."""
        if len(self.gained) < 2:
            return float("nan"), float("nan")
        mean, half = interval(self.gained)
        return mean, mean + half

    def verdict(self, section: DeliverySection, *, held: bool) -> str:
        """Return why the release must stop here; empty: it may go on. *held*: somebody said so."""
        if held:
            return "held back by hand"
        if not self.tried:
            return "reached no phone that could tell"
        if self.failed_share > section.max_failed:
            return f"failures: {self.failed} of {self.tried} refused it"
        if self.slower_median > section.max_slower:
            return f"latency: lists take {self.slower_median:.2f} times as long"
        mean, high = self.gain
        if high < -section.max_worse:
            return f"quality: {mean:+.4f}, at best {high:+.4f}"
        return ""
