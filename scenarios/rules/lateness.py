"""How servers take uploads that were trained from an older version."""

from droidloop.models.aggregation import Staleness, fading, within
from droidloop.scenarios.material import Material
from droidloop.scenarios.protocol_sections import BufferedSection


def lateness(material: Material) -> Staleness:
    """Return the weight of an upload by its age: all or nothing in rounds, else fading."""
    protocol = material.scenario.protocol
    if isinstance(protocol, BufferedSection):
        return fading(protocol.fading, protocol.staleness)
    return within(0)
