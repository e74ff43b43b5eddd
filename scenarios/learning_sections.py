"""The parts of a scenario that say what learns: the recommender, and the rule that trains it.

Each rule has a section of its own; its ``rule`` picks it.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from .section import Section

NotNegative = Annotated[float, Field(ge=0.0)]


class ModelSection(Section):
    """The recommender and its table."""

    kind: Literal["mf"] = "mf"
    dim: PositiveInt = 32
    loss: Literal["log", "bpr"] = "log"


class LocalTraining(Section):
    """Steps on a phone, as most rules take them."""

    learning_rate: PositiveFloat = 0.05
    l2: NotNegative = 0.0
    epochs: PositiveInt = 1
    batch: PositiveInt = 256
    negatives: PositiveInt = 4


class FedMFSection(LocalTraining):
    """Federated matrix factorisation: what a phone does with its data, the server with answers."""

    rule: Literal["fedmf"] = "fedmf"
    upload: Literal["part", "full"] = "part"
    server: Literal["rowmean", "fedavg", "mean", "sum"] = "rowmean"
    server_step: PositiveFloat = 2.0


class GraphSection(LocalTraining):
    """Federated LightGCN: each phone propagates on the graph of its user and the user's items."""

    rule: Literal["fedgcn"]
    learning_rate: PositiveFloat = 0.2
    """Larger than in fedmf: the mean of the layers makes slopes smaller."""
    layers: Annotated[int, Field(ge=0)] = 1
    server_step: PositiveFloat = 2.0


class PerFedRecSection(GraphSection):
    """PerFedRec: a model for all, one for each cluster of users, and each phone's own."""

    rule: Literal["perfedrec"]  # type: ignore[assignment]
    clusters: PositiveInt = 5


class GossipMFSection(LocalTraining):
    """Matrix factorisation of which every phone holds all, and which phones average."""

    rule: Literal["gossip-mf"]
    learning_rate: PositiveFloat = 0.1
    share_of_rows: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """How much of its table a phone sends, rows drawn anew each time."""


class TuneSection(LocalTraining):
    """A model trained in one place that every phone goes on with alone."""

    rule: Literal["tune"]
    part: Literal["all", "user"] = "all"
    """What is trained: everything, or only the user's vector (the last layer)."""


TrainingSection = Annotated[
    FedMFSection | GraphSection | PerFedRecSection | GossipMFSection | TuneSection,
    Field(discriminator="rule"),
]
"""Every rule's section; see ``droidloop.scenarios.rules`` for what becomes of it."""
