"""Links that come and go: a bad antenna, a router that starts again and again."""

from typing import Annotated

from pydantic import Field

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.platform.units import SECOND_US
from droidloop.scenarios.schema.fault_section import PhoneFault

Seconds = Annotated[float, Field(ge=0.001, le=1e9)]


class LinksFlapSection(PhoneFault):
    """The links of some phones are gone and back by turns."""

    down_s: Seconds = 30.0
    """How long a link is gone each time."""
    up_s: Seconds = 60.0
    """How long it is there in between."""


def build(section: LinksFlapSection) -> FaultSpec:
    """Return the fault; it begins with links that are gone."""
    down_us, up_us = round(section.down_s * SECOND_US), round(section.up_s * SECOND_US)
    return section.some("links-flap", Ill.CUT_OFF, down_us=down_us, up_us=up_us)


METHOD = Method(kind="fault", name="links-flap", section=LinksFlapSection, build=build)
