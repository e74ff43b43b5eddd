"""A region without a network, as after a storm: neither cells nor WiFi lead anywhere."""

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import TimedFault


class RegionDarkSection(TimedFault):
    """A region has no network at all; its phones work on what they have."""

    region: str
    """Its name, one of `population.regions`."""


def build(section: RegionDarkSection) -> FaultSpec:
    """Return the fault."""
    return section.spec("region-dark", Ill.CUT_OFF, region=section.region)


METHOD = Method(kind="fault", name="region-dark", section=RegionDarkSection, build=build)
