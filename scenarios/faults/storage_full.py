"""Storage that is full: what has to be kept on a phone is refused."""

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import PhoneFault


class StorageFullSection(PhoneFault):
    """Some phones have no storage left; they refuse packages, and train on what they have."""


def build(section: StorageFullSection) -> FaultSpec:
    """Return the fault."""
    return section.some("storage-full", Ill.FULL)


METHOD = Method(kind="fault", name="storage-full", section=StorageFullSection, build=build)
