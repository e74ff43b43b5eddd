"""Participation as the rule of learning has it."""

from droidloop.platform.arrays import IntArray
from droidloop.platform.registry import Method
from droidloop.platform.section import Section
from droidloop.scenarios.runtime.asking import Asking, Policy


class RuleSection(Section):
    """As the rule has it; at random where it has no say."""


def build(section: RuleSection) -> Policy:
    """Return the policy."""
    return choose


def choose(asking: Asking) -> IntArray:
    """Return the phones that are asked; see ``Policy``."""
    if asking.by_rule is None:
        return asking.at_random()
    return asking.by_rule(asking.able(), asking.clients, asking.number)


METHOD = Method(kind="policy", name="rule", section=RuleSection, build=build)
