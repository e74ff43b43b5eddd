"""HeteFedRec: phones with little memory train short vectors, which are the beginnings of long ones.

Yuan, Qu, Cui, Tong, Zhou, Yin: HeteFedRec, Federated Recommender Systems with Model Heterogeneity
(ICDE 2024). What differs from the paper: the model is matrix factorisation, without networks of
several sizes; a row of a block is averaged over the phones that have trained it.
"""

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, model_validator

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.cluster_scorer import ClusterScorer
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import Cohort, Cost
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning, Snapshot
from droidloop.models.local.cohort import rows_touched
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.local.prefix_sgd import train_prefixes
from droidloop.models.local.sgd import Examples, Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.errors import ScenarioError
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, CountOrNone, NotNegative, Positive

from .tier_server import Distillation, Tiers, TierServer, stacked
from .uploads import keep_finite, messages_of

GIB = 2**30


@dataclass(frozen=True)
class HeteFedRec:
    """Client rule: a phone trains the blocks of its tier, and so that its first blocks stand alone.

    Attributes:
        recommender: of the longest vectors.
        tiers: which phone has which length.
        sgd: steps, local epochs and batch.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data.
        prefixes: whether the loss counts at the end of every block (dual task, of two sizes), or
            at the end of the last one alone.
        decorrelation: the weight of the correlations among a tier's numbers; not of the smallest.
        threads: of kernels; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    tiers: Tiers
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    prefixes: bool = True
    decorrelation: float = 0.0
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.recommender.dim != self.tiers.dim:
            raise ValueError(f"vectors of {self.recommender.dim} for tiers of {self.tiers.dims}")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train the user's vector and the touched rows of the blocks received; send their changes.

        Raises:
            ValueError: the phones are of several tiers or hold no table, the inbox is not one
                model of that tier, or items are unknown.
        """
        tier = self._tier_of(cohort)
        blocks, n_items = self.tiers.blocks(tier), self.recommender.n_items
        shapes = {name: (n_items, part.stop - part.start) for name, part in blocks.items()}
        shared, base = received(cohort, inbox, shapes)
        check_local(cohort, data, n_items)
        examples = Examples.of(self, cohort.phones, data, draws, cohort.round, self.threads)
        touched = rows_touched(self.recommender.items, examples, self.threads)
        [(_, ids)], [offsets] = touched.rows.items(), touched.offsets.values()
        private = {"user": np.array(cohort.private["user"], np.float32)}
        table = np.concatenate([shared[name] for name in blocks], axis=1)
        change = train_prefixes(
            *(self.recommender, table, private["user"], examples, ids, offsets, self.sgd),
            *(self._ends(tier), self.decorrelation if tier else 0.0, self.threads),
        )
        keep_finite(cohort, private)
        arrays = {name: np.ascontiguousarray(change[:, part]) for name, part in blocks.items()}
        rows = dict.fromkeys(blocks, ids.astype(np.int64))
        named = arrays, rows, dict.fromkeys(blocks, offsets)
        return messages_of(self, cohort, data, base, "delta", named)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone: that of its length, and a loss at each end."""
        pairs = data.counts * (1 + self.negatives)
        found = {name: np.zeros(len(cohort), np.int64) for name in ("flops", "moved", "ram")}
        of = self.tiers.of[cohort.phones]
        for tier in np.unique(of).tolist():
            mine, dim = of == tier, self.tiers.dims[tier]
            if not dim:
                continue
            size = MF(self.recommender.n_items, dim, self.recommender.loss_name)
            more = 8 * (len(self._ends(tier)) - 1) * pairs * self.sgd.epochs  # a logistic function
            trained = size.cost(pairs * self.sgd.epochs)
            found["flops"][mine] = (trained.flops + more)[mine]
            found["moved"][mine] = np.asarray(trained.moved_bytes)[mine]
            found["ram"][mine] = np.asarray(size.cost(pairs).ram_bytes)[mine]
        operators = self.sgd.operators(data.counts, self.negatives)
        return Cost(found["flops"], found["moved"], found["ram"], operators)

    def _tier_of(self, cohort: Cohort) -> int:
        if not len(cohort):
            return self.tiers.largest
        tiers = np.unique(self.tiers.of[cohort.phones])
        if len(tiers) != 1 or not self.tiers.dims[tiers[0]]:
            raise ValueError(f"phones of the tiers {tiers.tolist()} train no table together")
        return int(tiers[0])

    def _ends(self, tier: int) -> IntArray:
        """Return the lengths at which the loss of *tier* counts."""
        ends = [part.stop for part in self.tiers.blocks(tier).values()]
        return np.array(ends if self.prefixes else ends[-1:], np.int64)


def tiers_by(values: Array, shares: list[float], dims: tuple[int, ...]) -> Tiers:
    """Return tiers by *values*, one a phone: the share that has least of it is the first tier."""
    order = np.argsort(values, kind="stable")
    ends = np.rint(np.cumsum(shares) / sum(shares) * len(values)).astype(np.int64)
    of = np.empty(len(values), np.int64)
    of[order] = np.searchsorted(ends, np.arange(len(values)), side="right")
    return Tiers(of, dims)


Length = Annotated[int, Field(ge=0, le=4096)]
"""Of vectors, as ``Size``; 0: none."""


class HeteFedRecSection(LocalTraining):
    """Vectors of several lengths, by what a phone has room for; short ones begin the long ones."""

    dims: list[Length] = Field(default_factory=list)
    """The length of vectors by tier, smallest first; the last is `model.dim`. Not given: a quarter
    of that, half and all. 0: such phones take no part and show popularity, which needs `policy =
    "rule"`."""
    tiers: Literal["memory", "data"] = "memory"
    """By the phone's memory, or by how many events its user has, as in the paper."""
    memory_gib: list[Positive] = Field(default=[3.0, 7.0])
    """Where tiers by memory end: phones below the first are of the first tier."""
    shares: list[Positive] = Field(default=[5.0, 3.0, 2.0])
    """How many phones there are of each tier by data, relative to one another."""
    prefix_loss: bool = True
    """Whether the loss counts for every length up to the phone's own."""
    decorrelation: NotNegative = 0.0
    """The weight of the correlations among the numbers of longer vectors."""
    distil_items: CountOrNone = 256
    """How many items the tables are brought to agree on after a round; 0: none."""
    distil_step: Positive = 0.1
    """How far."""
    distil_passes: Count = 1
    """How often."""
    server_step: Positive = 2.0
    """Times the mean change of a row."""

    @model_validator(mode="after")
    def _fits(self) -> "HeteFedRecSection":
        many = len(self.memory_gib) + 1 if self.tiers == "memory" else len(self.shares)
        key = "memory_gib" if self.tiers == "memory" else "shares"
        tiers = len(self.dims or (0, 0, 0))
        if many != tiers:
            raise ValueError(f"dims = {self.dims}: {tiers} tiers, but {key} make {many}")
        if sorted(self.dims) != self.dims or (self.dims and not self.dims[-1]):
            raise ValueError(f"dims = {self.dims}: give them smallest first, the last above 0")
        if sorted(self.memory_gib) != self.memory_gib:
            raise ValueError(f"memory_gib = {self.memory_gib}: give them smallest first")
        return self

    def of(self, task: TaskData, dim: int) -> Tiers:
        """Return the tiers of the phones of *task*, the longest vectors having *dim* numbers."""
        dims = tuple(self.dims) or (-(-dim // 4), -(-dim // 2), dim)
        if self.tiers == "data":
            return tiers_by(task.split.train.counts, self.shares, dims)
        if task.memory_bytes is None:
            raise ValueError("tiers by memory need to know how much of it phones have")
        edges = np.array(self.memory_gib) * GIB
        return Tiers(np.searchsorted(edges, task.memory_bytes, side="right"), dims)


def build(section: HeteFedRecSection, recommender: MF, task: TaskData) -> FederatedLearning:
    """Return HeteFedRec as *section* wants it.

    Raises:
        ScenarioError: the longest vectors are not those of the model, or its table is not dense.
    """
    if section.dims and section.dims[-1] != recommender.dim:
        raise ScenarioError(
            f"training.dims = {section.dims}: vectors of model.dim = {recommender.dim} are the "
            "longest; have both be the same"
        )
    tiers, draws = section.of(task, recommender.dim), task.draws
    client = HeteFedRec(
        *(recommender, tiers, section.sgd, section.negatives, task.exclude),
        prefixes=section.prefix_loss,
        decorrelation=section.decorrelation,
    )
    how = Distillation(
        *(section.distil_items, section.distil_step, section.distil_passes),
        draws.child("distillation"),
    )
    [first] = recommender.init(draws.child("init")).values()
    server = TierServer(
        *(first.numpy(), tiers, section.server_step, how if section.distil_items else None),
        staleness=task.staleness,
    )
    store = PrivateStore.of(recommender, draws.child("init"), task.split.n_users)
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=draws.child("training"),
        snapshot=lambda: snapshot_of(server, tiers, store),
        client=client,
        server=server,
        choose=_chooser(tiers, draws.child("clients")),
    )


def snapshot_of(server: TierServer, tiers: Tiers, store: PrivateStore) -> Snapshot:
    """Return every user's vector with the table of the tier, as they are now."""
    users = np.array(store.gather(np.arange(len(store)))["user"], np.float32)
    return Snapshot({"trained": ClusterScorer(users, tiers.of, stacked(server, tiers))})


def _chooser(tiers: Tiers, draws: Draws) -> Any:
    holds = np.array(tiers.dims)[tiers.of] > 0

    def choose(able: IntArray, clients: int, number: int) -> IntArray:
        mine = able[holds[able]]
        return np.sort(draws.choose(mine, min(clients, len(mine)), number))

    return choose


def check(scenario: Any) -> None:
    """Check that phones without a table are not asked.

    Raises:
        ScenarioError: they would be.
    """
    policy = getattr(scenario.protocol, "policy", None)
    if 0 in scenario.training.dims and getattr(policy, "kind", "rule") != "rule":
        raise ScenarioError(
            f"training.dims = {scenario.training.dims}: phones of length 0 take no part, so the "
            'rule chooses; set protocol.policy = "rule"'
        )


METHOD = Method(
    kind="rule",
    name="hetefedrec",
    section=HeteFedRecSection,
    build=build,
    source="Yuan et al.: HeteFedRec, Federated Recommender Systems with Model Heterogeneity "
    "(ICDE 2024)",
    gives=frozenset({"server"}),
    needs={
        "recommender": frozenset({"mf"}),
        "table": frozenset({"dense"}),
        "protocol": frozenset({"server"}),
    },
    check=check,
)
