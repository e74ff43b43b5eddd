"""Participation in turn."""

import numpy as np

from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.scenarios.runtime.asking import Asking, Policy


class FairSection(Section):
    """Those that were asked least often so far; ties by chance."""


def build(section: FairSection) -> Policy:
    """Return the policy."""
    return choose


def choose(asking: Asking) -> IntArray:
    """Return the phones that are asked; see ``Policy``."""
    return fairest(asking.able(), asking.asked, asking.clients, asking.draws, asking.number)


def fairest(able: IntArray, asked: IntArray, count: int, draws: Draws, counter: int) -> IntArray:
    """Return the *count* of *able* that were *asked* least often so far, sorted; ties by chance.

    With it nobody is asked twice before everybody who could was asked once.
    """
    chance = draws.bits(able, counter)
    return np.sort(able[np.lexsort((chance, asked[able]))[:count]])


METHOD = Method(kind="policy", name="fair", section=FairSection, build=build)
