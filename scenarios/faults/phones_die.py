"""Phones that die in droves, and are off until somebody starts them again."""

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import PhoneFault


class PhonesDieSection(PhoneFault):
    """Some phones are off at once, and on again when it is over; what they compute is lost."""


def build(section: PhonesDieSection) -> FaultSpec:
    """Return the fault."""
    return section.some("phones-die", Ill.OFF)


METHOD = Method(kind="fault", name="phones-die", section=PhonesDieSection, build=build)
