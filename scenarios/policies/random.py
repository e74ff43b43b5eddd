"""Participation at random."""

from droidloop.platform.arrays import IntArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.scenarios.runtime.asking import Asking, Policy


class RandomSection(Section):
    """Phones at random."""


def build(section: RandomSection) -> Policy:
    """Return the policy."""
    return choose


def choose(asking: Asking) -> IntArray:
    """Return the phones that are asked; see ``Policy``."""
    return asking.at_random()


METHOD = Method(kind="policy", name="random", section=RandomSection, build=build)
