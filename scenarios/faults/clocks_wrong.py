"""Clocks that are ahead: a phone takes a deadline for over before it is."""

from typing import Annotated

from pydantic import Field

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.schema.fault_section import PhoneFault


class ClocksWrongSection(PhoneFault):
    """The clocks of some phones are ahead, so they give up jobs before their deadline."""

    ahead_s: Annotated[float, Field(ge=0.001, le=1e9)] = 600.0
    """By how much."""


def build(section: ClocksWrongSection) -> FaultSpec:
    """Return the fault; what counts is the clock at the time when a job is planned."""
    return section.some("clocks-wrong", Ill.EARLY, amount_us=round(section.ahead_s * SECOND_US))


METHOD = Method(kind="fault", name="clocks-wrong", section=ClocksWrongSection, build=build)
