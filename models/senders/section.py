"""What all senders that do not follow the rule have in common: who they are."""

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.section import Section, Share


class SenderSection(Section):
    """Which phones do not follow the rule."""

    share: Share = 0.1
    """Of all phones, drawn once; those that an earlier sender has taken are left out."""

    def among(self, phones: IntArray, of_all: int, draws: Draws) -> IntArray:
        """Return the share of *of_all* phones that are drawn from *phones*, sorted."""
        return draws.choose(phones, min(len(phones), round(self.share * of_all)), 0)
