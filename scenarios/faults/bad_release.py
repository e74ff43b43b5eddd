"""Bad releases: what is shipped while it lasts is wrong, slow or worse."""

from typing import Literal

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import TimedFault


class BadReleaseSection(TimedFault):
    """Releases that go out while it lasts are bad, as one of `delivery.planted` is."""

    how: Literal["wrong", "slow", "worse"] = "wrong"
    """Other outputs than the golden ones, lists that take ten times as long, or worse lists."""


def build(section: BadReleaseSection) -> FaultSpec:
    """Return the fault; phones' laws see nothing of it."""
    return section.spec("bad-release", Ill.NOTHING, how=section.how)


METHOD = Method(kind="fault", name="bad-release", section=BadReleaseSection, build=build)
