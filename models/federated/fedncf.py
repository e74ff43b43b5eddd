"""FedNCF: each phone trains its own user vectors, the item rows that it touches and the network.

Perifanis and Efraimidis, Federated Neural Collaborative Filtering (Knowledge-Based Systems 2022).
Their MF-FedAvg is the server rule ``aggregation.mf_fed_avg``.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from pydantic import PositiveFloat, PositiveInt

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives, touched_rows
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import Cohort, Cost, check_private
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.learning.shared_model import shared_snapshot
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.local.ncf_sgd import train_ncf_cohort
from droidloop.models.local.torch_sgd import train_cohort_in_torch
from droidloop.models.recommenders.neumf import NeuMF
from droidloop.platform.arrays import Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method
from droidloop.platform.section import Section

from .fedmf import Engine
from .folds import fed_avg, mf_fed_avg


@dataclass(frozen=True)
class FedNCF:
    """Client rule of federated neural collaborative filtering.

    A message holds the change of the touched item rows and of all dense parameters.

    Attributes:
        recommender: NeuMF, or its GMF or MLP alone.
        sgd: steps, local epochs and batch; ``lr_dense`` is that of the network.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data of the step.
        engine: ``numba``, or ``torch`` which is slower and gives the same to float32 rounding.
        threads: of the numba engine; None: one a processor. The result does not depend on it.
    """

    recommender: NeuMF
    sgd: Sgd = field(default_factory=lambda: Sgd(lr_dense=0.005))
    negatives: int = 4
    exclude: UserItems | None = None
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.engine not in get_args(Engine):
            raise ValueError(f"{self.engine!r} is none of {', '.join(get_args(Engine))}")
        if self.negatives < 1:
            raise ValueError(f"{self.negatives} negatives teach nothing with the log loss")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train ``user``, the touched item rows and the network; return the changes.

        *inbox* holds one model for all phones of the cohort. A phone whose training ends in NaN
        or infinity keeps its old user vectors; its upload shows what happened, and server rules
        refuse it. A phone without items sends no row and a network that did not move, at the
        weight 0: weights are the numbers of local items.

        Raises:
            ValueError: the inbox is not one model, *data* not one row a phone, or items are
                unknown.
        """
        model = self.recommender
        shapes = {"item": (model.n_items, model.dim), **model.dense}
        shared, base = received(cohort, inbox, shapes)
        check_local(cohort, data, model.n_items)
        drawn = draw_negatives(
            data,
            self.negatives,
            model.n_items,
            data if self.exclude is None else self.exclude.take(cohort.phones),
            phones=cohort.phones,
            draws=draws,
            counter=cohort.round,
            threads=self.threads,
        )
        ids, offsets = touched_rows(data, drawn, model.n_items, self.threads)
        change = self._train(cohort, shared, data, drawn, ids, offsets, draws)
        return check_private(_uploads(cohort, data, base, ids, offsets, change), model)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone: all epochs, but the memory of one."""
        pairs = data.counts * (1 + self.negatives)
        trained = self.recommender.cost(pairs * self.sgd.epochs)
        return Cost(trained.flops, trained.moved_bytes, self.recommender.cost(pairs).ram_bytes)

    def _train(
        self,
        cohort: Cohort,
        shared: dict[str, Array],
        data: UserItems,
        drawn: Int32Array,
        ids: Int32Array,
        offsets: IntArray,
        draws: Draws,
    ) -> dict[str, Array]:
        """Return the changes by name; write the user vectors that are still numbers."""
        user = np.array(cohort.private["user"], np.float32)
        ragged = (data, drawn, ids, offsets)
        if self.engine == "numba":
            change = train_ncf_cohort(
                *(self.recommender, shared, *ragged),
                phones=cohort.phones,
                user=user,
                sgd=self.sgd,
                draws=draws,
                counter=cohort.round,
                threads=self.threads,
            )
        else:
            change = train_cohort_in_torch(
                self.recommender,
                {name: torch.from_numpy(array) for name, array in shared.items()},
                {"user": user},
                *ragged,
                phones=cohort.phones,
                sgd=self.sgd,
                draws=draws,
                counter=cohort.round,
            )
        finite = np.isfinite(user).all(axis=1)
        cohort.private["user"][finite] = user[finite]
        return change


def _uploads(
    cohort: Cohort,
    data: UserItems,
    base: IntArray,
    ids: Int32Array,
    offsets: IntArray,
    change: dict[str, Array],
) -> Messages:
    m = len(cohort)
    arrays, starts = {"item": change["item"]}, {"item": offsets}
    for name, stacked in change.items():
        if name != "item":
            arrays[name] = stacked.reshape(m * stacked.shape[1], *stacked.shape[2:])
            starts[name] = np.arange(m + 1) * stacked.shape[1]
    return Messages(
        kind="delta",
        sender=cohort.phones,
        receiver=np.full(m, SERVER, np.int64),
        arrays=arrays,
        weight=data.counts.astype(np.float64),
        base=base,
        rows={"item": ids.astype(np.int64)},
        offsets=starts,
    )


class FedNCFSection(Section):
    """Phones train a product and a network; the server averages item rows and the network."""

    learning_rate: PositiveFloat = 0.05
    """Of users' and items' vectors."""
    network_rate: PositiveFloat = 0.005
    """Of the network, on which every pair of a batch pulls."""
    epochs: PositiveInt = 1
    """Passes over the local data in a turn."""
    batch: PositiveInt = 256
    """Pairs of a user and an item in a batch."""
    negatives: PositiveInt = 4
    """Items drawn for each local item, anew in each turn."""
    server: Literal["mf-fedavg", "fedavg"] = "mf-fedavg"
    """Item rows averaged over the phones that hold them, or over all as the network is."""
    row_step: PositiveFloat = 2.0
    """Times the mean change of a row, with ``mf-fedavg``."""
    server_step: PositiveFloat = 4.0
    """Times the mean change of everything else."""


def build(section: FedNCFSection, recommender: NeuMF, task: TaskData) -> FederatedLearning:
    """Return FedNCF as *section* wants it."""
    rate, first = section.learning_rate, task.draws.child("init")
    sgd = Sgd(rate, rate, section.epochs, section.batch, section.network_rate)
    params, late = recommender.init(first), task.staleness
    if section.server == "fedavg":
        server = fed_avg(params, section.server_step, staleness=late)
    else:
        server = mf_fed_avg(
            *(params, recommender.tables, section.row_step, section.server_step), staleness=late
        )
    store = PrivateStore.of(recommender, first, task.split.n_users)
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=lambda: shared_snapshot(recommender, server, store),
        client=FedNCF(recommender, sgd, section.negatives, task.exclude),
        server=server,
    )


METHOD = Method(
    kind="rule",
    name="fedncf",
    section=FedNCFSection,
    build=build,
    source="Perifanis, Efraimidis: Federated Neural Collaborative Filtering (KBS 2022)",
    gives=frozenset({"server", "sums", "ships"}),
    needs={"recommender": frozenset({"neumf"}), "protocol": frozenset({"server"})},
    usual={"recommender": "neumf"},
)
