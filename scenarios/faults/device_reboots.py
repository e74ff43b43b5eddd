"""Devices that reboot: simulated ones are off for a while, real ones get the command."""

from typing import Annotated

from pydantic import Field

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import PhoneFault


class DeviceRebootsSection(PhoneFault):
    """Some phones start anew: off for two minutes, and what they compute is lost."""

    lasts_h: Annotated[float, Field(ge=0.001, le=87_600.0)] = 2 / 60
    """How long a simulated phone is off: assumed."""


def build(section: DeviceRebootsSection) -> FaultSpec:
    """Return the fault."""
    return section.some("device-reboots", Ill.OFF)


METHOD = Method(kind="fault", name="device-reboots", section=DeviceRebootsSection, build=build)
