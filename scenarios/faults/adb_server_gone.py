"""The adb server is gone: real devices are out of reach until it is started again."""

from droidloop.devices.phone.faults import Ill
from droidloop.devices.population.faulty import FaultSpec
from droidloop.platform.registry import Method
from droidloop.scenarios.schema.fault_section import TimedFault


class AdbServerGoneSection(TimedFault):
    """The adb server of the run is ended and started again; simulated phones know of none."""


def build(section: AdbServerGoneSection) -> FaultSpec:
    """Return the fault; phones' laws see nothing of it."""
    return section.spec("adb-server-gone", Ill.NOTHING)


METHOD = Method(kind="fault", name="adb-server-gone", section=AdbServerGoneSection, build=build)
