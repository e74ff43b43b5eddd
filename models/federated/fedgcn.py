"""Federated LightGCN: each phone trains its user vector and item rows through its own ego graph.

A graph of the user and the user's items, as in Wu et al., FedPerGNN (Nature Communications 2022)
without neighbours and in PerFedRec (Luo et al., CIKM 2022). The server sees what it sees of FedMF.
"""

from dataclasses import dataclass, field

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives, touched_rows
from droidloop.models.graphs.ego_graphs import Neighbours, ego_graphs
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import Cohort, Cost, check_private
from droidloop.models.local.ego_sgd import train_on_ego_graphs
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.models.tables.dense import DenseTable
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages


@dataclass(frozen=True)
class FedLightGCN:
    """Client rule of LightGCN on ego graphs; without layers it trains what FedMF trains.

    Attributes:
        recommender: MF on a dense table: the parameters, the loss and the regulariser.
        layers: of LightGCN.
        sgd: steps, local epochs and batch.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data of the step.
        degrees: by item, how many users have it, where that is known (a catalogue's counts);
            None: each item counts as if the phone alone had it. Then what a user has scores high
            for being connected alone, so the loss has little left to teach.
        threads: of the kernels; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    layers: int = 1
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    degrees: IntArray | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.recommender.items, DenseTable):
            raise TypeError(f"ego graphs need a dense table, not {self.recommender.items!r}")
        if self.layers < 0 or self.negatives < 1:
            raise ValueError(f"{self.layers} layers and {self.negatives} negatives teach nothing")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train ``user`` and the touched rows of the received table; return their changes.

        A phone whose training ends in NaN or infinity keeps its old user vector; its upload shows
        what happened, and server rules refuse it. Weights are the numbers of local items.

        Raises:
            ValueError: the inbox is not one table, *data* not one row a phone, or items are
                unknown.
        """
        model, m = self.recommender, len(cohort)
        name = model.items.name
        shared, base = received(cohort, inbox, {name: (model.n_items, model.dim)})
        check_local(cohort, data, model.n_items)
        exclude = data if self.exclude is None else self.exclude.take(cohort.phones)
        drawn = draw_negatives(
            *(data, self.negatives, model.n_items, exclude),
            phones=cohort.phones,
            draws=draws,
            counter=cohort.round,
            threads=self.threads,
        )
        ids, offsets = touched_rows(data, drawn, model.n_items, self.threads)
        rows = ids.astype(np.int64), offsets
        ego = ego_graphs(data, Neighbours.none(m, model.dim), rows, self.degrees)
        user, item = np.array(cohort.private["user"], np.float32), shared[name][ids]
        train_on_ego_graphs(
            *(ego, data, drawn),
            phones=cohort.phones,
            user=user,
            item=item,
            layers=self.layers,
            sgd=self.sgd,
            loss_name=model.loss_name,
            l2=model.l2,
            draws=draws,
            counter=cohort.round,
            threads=self.threads,
        )
        finite = np.isfinite(user).all(axis=1)
        cohort.private["user"][finite] = user[finite]
        sent = Messages(
            kind="delta",
            sender=cohort.phones,
            receiver=np.full(m, SERVER, np.int64),
            arrays={name: item - shared[name][ids]},
            weight=data.counts.astype(np.float64),
            base=base,
            rows={name: rows[0]},
            offsets={name: offsets},
        )
        return check_private(sent, model)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone: that of MF and, a batch, the propagation.

        Forward and back, in each layer, of each edge and side 3 dim flops and a row of 4 dim
        bytes; of each row of the graph 3 dim flops and 8 dim bytes more. The rows are those of
        the items and, at most, their negatives; in memory are the vectors, the slopes and room
        for a layer.
        """
        model, pairs = self.recommender, data.counts * (1 + self.negatives)
        once, trained = model.cost(pairs), model.cost(pairs * self.sgd.epochs)
        batches = self.sgd.epochs * -(-data.counts // self.sgd.group(self.negatives))
        passes = 2 * self.layers * batches
        rows = 1 + np.minimum(pairs, model.n_items)
        edges = 2 * data.counts
        return Cost(
            flops=trained.flops + passes * 3 * (edges + rows) * model.dim,
            moved_bytes=trained.moved_bytes + passes * 4 * (edges + 2 * rows) * model.dim,
            ram_bytes=once.ram_bytes + 12 * rows * model.dim + 4 * edges,
            operators=self.sgd.operators(data.counts, self.negatives),
        )
