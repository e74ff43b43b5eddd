"""From the training section of a scenario to a rule of learning: one file for each rule.

To add a rule: a section with its name in ``learning_sections.py``, a builder here, a line below.
"""

from droidloop.scenarios.schema.learning_sections import (
    DCLRSection,
    FCFSection,
    FedFastSection,
    FedMFSection,
    FedNCFSection,
    GossipMFSection,
    GraphSection,
    MACSection,
    MPDASection,
    PerFedRecSection,
    PFedRecSection,
    SemiDFEGLSection,
    TuneSection,
)

from .ego_rules import fedgcn, perfedrec
from .fcf import fcf
from .fedfast import fedfast
from .fedmf import fedmf
from .fedncf import fedncf
from .gossip_mf import gossip_mf, tune
from .learning import Learning
from .mpda import mpda
from .next_place import dclr, mac
from .pfedrec import pfedrec
from .semidfegl import semidfegl
from .task_data import Material

__all__ = ["Material", "build"]


def build(material: Material) -> Learning:
    """Return the learning of the scenario of *material*.

    Raises:
        UsageError: the section asks for what its data or its model do not have.
    """
    match material.scenario.training:
        case FedMFSection() as section:
            return fedmf(section, material)
        case FedFastSection() as section:
            return fedfast(section, material)
        case PerFedRecSection() as section:
            return perfedrec(section, material)
        case GraphSection() as section:
            return fedgcn(section, material)
        case FedNCFSection() as section:
            return fedncf(section, material)
        case FCFSection() as section:
            return fcf(section, material)
        case PFedRecSection() as section:
            return pfedrec(section, material)
        case GossipMFSection() as section:
            return gossip_mf(section, material)
        case DCLRSection() as section:
            return dclr(section, material)
        case MACSection() as section:
            return mac(section, material)
        case SemiDFEGLSection() as section:
            return semidfegl(section, material)
        case TuneSection() as section:
            return tune(section, material)
        case MPDASection() as section:
            return mpda(section, material)
