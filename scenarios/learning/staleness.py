"""How servers take uploads that were trained from an older version."""

from droidloop.models.federated.folds import Staleness, fading, within
from droidloop.scenarios.schema.protocol_sections import BufferedSection

from .task_data import Material


def lateness(material: Material) -> Staleness:
    """Return the weight of an upload by its age: all or nothing in rounds, else fading."""
    protocol = material.scenario.protocol
    if isinstance(protocol, BufferedSection):
        return fading(protocol.fading, protocol.staleness)
    return within(0)
