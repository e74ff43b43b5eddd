"""What all senders that do not follow the rule have in common: who they are."""

import numpy as np
from pydantic import Field

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.section import People, Section, Share


class SenderSection(Section):
    """Which phones do not follow the rule."""

    share: Share = 0.1
    """Of all phones, drawn once; those that an earlier sender has taken are left out."""
    phones: list[People] = Field(default_factory=list)
    """Which, by row, where they are not to be drawn."""

    def among(self, phones: IntArray, of_all: int, draws: Draws) -> IntArray:
        """Return those that are named, or the share of *of_all* phones, of *phones*, sorted."""
        if self.phones:
            return phones[np.isin(phones, self.phones)]
        return draws.choose(phones, min(len(phones), round(self.share * of_all)), 0)
