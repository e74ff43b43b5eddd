"""Which phones each stage of a release is for."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from droidloop.platform.arrays import BoolArray, IntArray
from droidloop.scenarios.schema.delivery_section import DeliverySection


@dataclass(frozen=True)
class Stages:
    """The stages of one release, counted from 0.

    Attributes:
        order: all phones, those of the first stage first.
        section: which shares of them.
    """

    order: IntArray
    section: DeliverySection

    @cached_property
    def _shares(self) -> dict[int, float]:
        """The share of each stage by how many phones there are up to it: each adds some."""
        count, least = len(self.order), self.section.least_phones
        return {
            min(count, max(int(np.ceil(share * count)), least)): share
            for share in self.section.stages
        }

    def last(self, stage: int) -> bool:
        """Return whether *stage* is for all."""
        return stage == len(self._shares) - 1

    def share(self, stage: int) -> float:
        """Return which share of all phones *stage* comes to."""
        return list(self._shares.values())[stage]

    def quota(self, stage: int) -> int:
        """Return how many phones there are up to *stage*."""
        return 0 if stage < 0 else list(self._shares)[stage]

    def phones(self, stage: int) -> IntArray:
        """Return those that *stage* adds."""
        return self.order[self.quota(stage - 1) : self.quota(stage)]

    def within(self, stage: int) -> BoolArray:
        """Return which phones, by number, have been in a stage up to *stage*."""
        marked = np.zeros(len(self.order), np.bool_)
        marked[self.order[: self.quota(stage)]] = True
        return marked
