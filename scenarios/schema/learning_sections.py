"""The parts of a scenario that say what learns: the recommender, and the rule that trains it.

Each rule has a section of its own; its ``rule`` picks it.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from droidloop.platform.section import Section

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


class FoldedTraining(LocalTraining):
    """Steps on a phone, and what the server makes of the rows that arrive."""

    server: Literal["rowmean", "fedavg", "mean", "sum", "fedadam"] = "rowmean"
    server_step: PositiveFloat = 2.0

    @model_validator(mode="after")
    def _adaptive_steps_are_given(self) -> "FoldedTraining":
        if self.server == "fedadam" and "server_step" not in self.model_fields_set:
            raise ValueError(
                "server = 'fedadam' moves every number by about server_step; give one, such as 0.02"
            )
        return self


class FedMFSection(FoldedTraining):
    """Federated matrix factorisation: what a phone does with its data, the server with answers."""

    rule: Literal["fedmf"] = "fedmf"
    upload: Literal["part", "full"] = "part"


class PFedRecSection(FoldedTraining):
    """A personal score function and a personal item table on each phone."""

    rule: Literal["pfedrec"]


class GraphSection(LocalTraining):
    """Federated LightGCN: each phone propagates on the graph of its user and the user's items."""

    rule: Literal["fedgcn"]
    learning_rate: PositiveFloat = 0.1
    """Larger than in fedmf: the mean of the layers makes slopes smaller."""
    layers: Annotated[int, Field(ge=0)] = 1
    server_step: PositiveFloat = 2.0


class PerFedRecSection(GraphSection):
    """PerFedRec: a model for all, one for each cluster of users, and each phone's own."""

    rule: Literal["perfedrec"]  # type: ignore[assignment]
    clusters: PositiveInt = 5


class FedNCFSection(Section):
    """Federated neural collaborative filtering: a product of ``model.dim`` and a network."""

    rule: Literal["fedncf"]
    mlp_dim: PositiveInt = 16
    """The length of a user's and of an item's vector that enter the network."""
    hidden: Annotated[list[PositiveInt], Field(min_length=1)] = Field(default=[16, 8])
    """The widths of its layers."""
    learning_rate: PositiveFloat = 0.05
    network_rate: PositiveFloat = 0.005
    epochs: PositiveInt = 1
    batch: PositiveInt = 256
    negatives: PositiveInt = 4
    server: Literal["mf-fedavg", "fedavg"] = "mf-fedavg"
    """Item rows averaged over the phones that hold them, or over all as the network is."""
    row_step: PositiveFloat = 2.0
    """Times the mean change of a row, with ``mf-fedavg``."""
    server_step: PositiveFloat = 4.0
    """Times the mean change of everything else."""


class FCFSection(Section):
    """Federated collaborative filtering: closed form on the phone, Adam on the server."""

    rule: Literal["fcf"]
    alpha: NotNegative = 10.0
    """How much more an item counts that a user had."""
    l2: PositiveFloat = 1.0
    server_step: PositiveFloat = 0.05


class FedFastSection(LocalTraining):
    """FedFast: delegates of clusters train, the others of a cluster move along with them."""

    rule: Literal["fedfast"]
    clusters: PositiveInt = 10
    discount: Annotated[float, Field(ge=0.0, le=1.0)] = 0.5
    """How far a user who was not asked moves with the delegates of the cluster."""
    server_step: PositiveFloat = 2.0


class GossipMFSection(LocalTraining):
    """Matrix factorisation of which every phone holds all, and which phones average."""

    rule: Literal["gossip-mf"]
    learning_rate: PositiveFloat = 0.3
    negatives: PositiveInt = 1
    """Few: what one phone's negatives do to rows that it knows nothing of, averages carry on."""
    by_row: bool = True
    """Whether rows are averaged by how often each was trained, or tables by their ages."""
    share_of_rows: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    """How much of its table a phone sends, rows drawn anew each time."""


class SemiDFEGLSection(LocalTraining):
    """SemiDFEGL: members of a group exchange embeddings and train LightGCN on linked ego graphs."""

    rule: Literal["semidfegl"]
    learning_rate: PositiveFloat = 0.3
    """Larger than in gossip-mf: the mean of the layers makes slopes smaller."""
    rows: PositiveInt = 400
    """How many items the members of a group hold; all, if there are fewer."""
    fakes: Annotated[int, Field(ge=0)] = 10
    """How many of them link the ego graphs of the group."""
    neighbours: PositiveInt = 8
    """How many members a phone remembers."""
    layers: PositiveInt = 1
    fuzziness: Annotated[float, Field(gt=1.0)] = 1.1
    """How far phones and items belong to several groups: 1 is not at all."""


class PlaceTraining(Section):
    """Turns of a phone that learns its owner's next place from visits."""

    learning_rate: PositiveFloat = 0.05
    """Of the vectors and biases of places and of what is private."""
    network_rate: PositiveFloat = 0.02
    """Of the weights that all places share."""
    examples: PositiveInt = 64
    """Visits in a turn."""
    negatives: PositiveInt = 15
    length: PositiveInt = 32
    """Visits before a question that the model reads."""
    unvisited: bool = False
    """Whether a first visit is told from places alone that were not visited before."""
    held: PositiveInt = 512
    """Places in the area of a phone: it trains, and may share, their vectors alone."""
    categories: PositiveInt = 16
    """Kinds of places, made of the hours of visits where the data name none."""


class DCLRSection(PlaceTraining):
    """DCLR: phones average the models of neighbours, and agree with their answers."""

    rule: Literal["dclr"]
    sharpness: NotNegative = 5.0
    """Of the attention over neighbours; 0 gives equal shares."""
    information: NotNegative = 0.1
    """The weight of the mutual information with the neighbours."""


class MACSection(PlaceTraining):
    """MAC: phones with models of several sizes tell neighbours scores, never parameters."""

    rule: Literal["mac"]
    dims: Annotated[list[PositiveInt], Field(min_length=1)] = Field(default=[8, 16, 32])
    """Sizes of models, dealt to the phones in turn."""
    agreement: NotNegative = 1.0
    """The weight of the divergence from the neighbours' mean."""
    keep: Annotated[float, Field(gt=0.0, le=1.0)] = 0.5
    """The share of the neighbours, the most similar ones, that count at last."""
    questions: PositiveInt = 32
    """Questions of the reference set that a phone answers."""


class TuneSection(LocalTraining):
    """A model trained in one place that every phone goes on with alone."""

    rule: Literal["tune"]
    part: Literal["all", "user"] = "all"
    """What is trained: everything, or only the user's vector (the last layer)."""


class MPDASection(Section):
    """MPDA: a cloud's DIN tuned on a phone's own samples and on offered ones that help it."""

    rule: Literal["mpda"]
    learning_rate: PositiveFloat = 0.03
    """On the phone."""
    epochs: PositiveInt = 2
    """Passes over the samples in a turn, on the phone."""
    samples: Literal["next", "rated"] = "next"
    """What a user had next, from an item never had; or whether a rated event is liked."""
    history: PositiveInt = 20
    """Items before a sample that the model reads; liked ones with ``rated``."""
    hidden: PositiveInt = 16
    """The width of the network's layer."""
    donors: Literal["similar", "random", "none"] = "similar"
    """Whose samples a phone is offered; ``none``: it tunes on its own alone."""
    pools: PositiveInt = 10
    """Pools offered in a turn, each of one other user."""
    pool_size: PositiveInt = 200
    """Samples in a pool, at most."""
    held_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.125
    """Of a phone's latest samples, on which it judges pools."""
    cloud_epochs: PositiveInt = 20
    """Passes at most with which the cloud trains."""
    cloud_rate: PositiveFloat = 0.005
    """Of Adam in the cloud."""


TrainingSection = Annotated[
    FedMFSection
    | PFedRecSection
    | FedNCFSection
    | FCFSection
    | GraphSection
    | PerFedRecSection
    | FedFastSection
    | GossipMFSection
    | DCLRSection
    | MACSection
    | SemiDFEGLSection
    | TuneSection
    | MPDASection,
    Field(discriminator="rule"),
]
"""Every rule's section; see ``droidloop.scenarios.learning.build`` for what becomes of it."""
