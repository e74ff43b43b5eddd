"""FedMF: each phone trains its own user vector and a copy of the item rows that it touches.

Chai et al., Secure Federated Matrix Factorization (IEEE Intelligent Systems 2020), without its
encryption, and with local epochs as in FedAvg (McMahan et al. 2017).
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives, touched_rows
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import Cohort, Cost, check_private
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.learning.shared_model import shared_snapshot
from droidloop.models.local.mf_sgd import Sgd, train_cohort
from droidloop.models.local.torch_sgd import train_cohort_in_torch
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import Array, Float32Array, Int32Array, IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages
from droidloop.platform.registry import Method

from .server_section import FoldedTraining

Upload = Literal["part", "full"]
Kind = Literal["delta", "parameters", "gradient"]
Engine = Literal["numba", "torch"]


@dataclass(frozen=True)
class FedMF:
    """Client rule of federated matrix factorisation.

    Attributes:
        recommender: MF on a dense table; gives the loss and the regulariser.
        sgd: steps, local epochs and batch. With a share of the phones in each round, more local
            epochs make up for the rounds that a user misses.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data of the step,
            which is all that an honest phone knows (``clean``).
        upload: ``part`` sends the touched rows, which shows which items they are, ``full`` the
            whole table.
        kind: ``delta`` sends trained minus received values, ``parameters`` the trained values,
            ``gradient`` the received minus the trained ones over the step ``lr_rows``: after one
            epoch in one batch that is the gradient of the local loss.
        engine: ``numba``, or ``torch`` which is slower and gives the same to float32 rounding.
        threads: of the numba engine; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    upload: Upload = "part"
    kind: Kind = "delta"
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.recommender.items, DenseTable):
            raise TypeError(f"FedMF trains a dense table, not {self.recommender.items!r}")
        for value, known in ((self.upload, Upload), (self.kind, Kind), (self.engine, Engine)):
            if value not in get_args(known):
                raise ValueError(f"{value!r} is none of {', '.join(get_args(known))}")
        if self.negatives < 0 or (self.negatives == 0 and self.recommender.loss_name != "squared"):
            loss = self.recommender.loss_name
            raise ValueError(f"{self.negatives} negatives teach nothing with the loss {loss!r}")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train ``user`` and the touched rows of the received table; return the uploads.

        *inbox* holds one table for all phones of the cohort. A phone whose training ends in NaN
        or infinity keeps its old user vector; its upload shows what happened, and server rules
        refuse it. Weights are the numbers of local items.

        Raises:
            ValueError: the inbox is not one table, *data* not one row a phone, or items are
                unknown.
        """
        name, n_items = self.recommender.items.name, self.recommender.n_items
        shared, base = received(cohort, inbox, {name: (n_items, self.recommender.dim)})
        table = shared[name]
        check_local(cohort, data, n_items)
        exclude = data if self.exclude is None else self.exclude.take(cohort.phones)
        drawn = draw_negatives(
            data,
            self.negatives,
            n_items,
            exclude,
            phones=cohort.phones,
            draws=draws,
            counter=cohort.round,
            threads=self.threads,
        )
        ids, offsets = touched_rows(data, drawn, n_items, self.threads)
        change = self._train(cohort, table, data, drawn, ids, offsets, draws)
        return check_private(
            self._uploads(cohort, data, table, base, ids, offsets, change), self.recommender
        )

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone: all epochs, but the memory of one."""
        pairs = data.counts * (1 + self.negatives)
        trained = self.recommender.cost(pairs * self.sgd.epochs)
        return Cost(trained.flops, trained.moved_bytes, self.recommender.cost(pairs).ram_bytes)

    def _train(
        self,
        cohort: Cohort,
        table: Float32Array,
        data: UserItems,
        drawn: Int32Array,
        ids: Int32Array,
        offsets: IntArray,
        draws: Draws,
    ) -> Array:
        """Return the change of the rows *ids*; write the user vectors that are still numbers."""
        [own] = self.recommender.private
        user = np.array(cohort.private[own], np.float32)
        ragged = (data, drawn, ids, offsets)
        if self.engine == "numba":
            change = train_cohort(
                *ragged,
                phones=cohort.phones,
                table=table,
                user=user,
                sgd=self.sgd,
                loss_name=self.recommender.loss_name,
                l2=self.recommender.l2,
                draws=draws,
                counter=cohort.round,
                threads=self.threads,
            )
        else:
            name = self.recommender.items.name
            changes = train_cohort_in_torch(
                self.recommender,
                {name: torch.from_numpy(table)},
                {own: user},
                *ragged,
                phones=cohort.phones,
                sgd=self.sgd,
                draws=draws,
                counter=cohort.round,
            )
            change = changes[name]
        finite = np.isfinite(user).all(axis=1)
        cohort.private[own][finite] = user[finite]
        return change

    def _uploads(
        self,
        cohort: Cohort,
        data: UserItems,
        table: Float32Array,
        base: IntArray,
        ids: Int32Array,
        offsets: IntArray,
        change: Array,
    ) -> Messages:
        name, m = self.recommender.items.name, len(cohort)
        rows = {name: ids.astype(np.int64)}
        if self.upload == "full":
            where = np.repeat(np.arange(m) * len(table), np.diff(offsets)) + ids
            whole = np.zeros((m * len(table), table.shape[1]), np.float32)
            whole[where] = change
            change, rows, offsets = whole, {}, np.arange(m + 1) * len(table)
        if self.kind == "parameters":
            change += table[rows[name]] if rows else np.tile(table, (m, 1))
        elif self.kind == "gradient":
            change /= np.float32(-self.sgd.lr_rows)
        return Messages(
            kind=self.kind,
            sender=cohort.phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays={name: change},
            weight=data.counts.astype(np.float64),
            base=base,
            rows=rows,
            offsets={name: offsets},
        )


class FedMFSection(FoldedTraining):
    """Phones train their user's vector and the item rows they touch; the server folds the rows."""

    upload: Literal["part", "full"] = "part"
    """The touched rows, which shows which items they are; or the whole table."""


def build(section: FedMFSection, recommender: MF, task: TaskData) -> FederatedLearning:
    """Return FedMF as *section* wants it."""
    first = task.draws.child("init")
    client = FedMF(recommender, section.sgd, section.negatives, task.exclude, upload=section.upload)
    server = section.fold(recommender.init(first), task.staleness)
    store = PrivateStore.of(recommender, first, task.split.n_users)
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=lambda: shared_snapshot(recommender, server, store),
        client=client,
        server=server,
        steps=client,
    )


METHOD = Method(
    kind="rule",
    name="fedmf",
    section=FedMFSection,
    build=build,
    source="Chai et al.: Secure Federated Matrix Factorization (IEEE Intelligent Systems 2020)",
    gives=frozenset({"server", "sums", "ships", "device-step"}),
    needs={"recommender": frozenset({"mf"}), "protocol": frozenset({"server"})},
)
