"""The server is down: nobody is asked, and what is under way waits for it."""

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import TimedFault


class ServerDownSection(TimedFault):
    """The server, or the relay, answers nobody; transfers stand still and go on afterwards."""


def build(section: ServerDownSection) -> FaultSpec:
    """Return the fault: for a phone, no way leads to the server."""
    return section.spec("server-down", Ill.CUT_OFF)


METHOD = Method(kind="fault", name="server-down", section=ServerDownSection, build=build)
