"""Federated LightGCN: each phone trains its user vector and item rows through its own ego graph.

A graph of the user and the user's items, as in Wu et al., FedPerGNN (Nature Communications 2022)
without neighbours and in PerFedRec (Luo et al., CIKM 2022). The server sees what it sees of FedMF.
"""

from dataclasses import dataclass, field

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.data.negatives import draw_negatives
from droidloop.models.interfaces.client_checks import check_local, received
from droidloop.models.interfaces.learning import Cohort, Cost, check_private, shared_parameters
from droidloop.models.local.cohort import Engine, Examples
from droidloop.models.local.ego_cohort import EgoTraining, train_on_own_graphs
from droidloop.models.local.mf_sgd import Sgd
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import IntArray
from droidloop.platform.draws import Draws
from droidloop.platform.messages import SERVER, Messages

from .uploads import keep_finite, upload_of


@dataclass(frozen=True)
class FedLightGCN:
    """Client rule of LightGCN on ego graphs; without layers it trains what FedMF trains.

    Attributes:
        recommender: MF: the parameters, the loss and the regulariser.
        layers: of LightGCN.
        sgd: steps, local epochs and batch.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data of the step.
        degrees: by item, how many users have it, where that is known (a catalogue's counts);
            None: each item counts as if the phone alone had it. Then what a user has scores high
            for being connected alone, so the loss has little left to teach.
        engine: ``numba``, the compiled kernel where every item has a row of its own, or ``torch``.
        threads: of the kernels; None: one a processor. The result does not depend on it.
    """

    recommender: MF
    layers: int = 1
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    degrees: IntArray | None = None
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
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
        model = self.recommender
        wanted = {name: one.shape for name, one in shared_parameters(model).items()}
        shared, base = received(cohort, inbox, wanted)
        check_local(cohort, data, model.n_items)
        drawn = draw_negatives(
            *(data, self.negatives, model.n_items),
            data if self.exclude is None else self.exclude.take(cohort.phones),
            phones=cohort.phones,
            draws=draws,
            counter=cohort.round,
            threads=self.threads,
        )
        examples = Examples(cohort.phones, data, drawn, draws, cohort.round)
        private = {"user": np.array(cohort.private["user"], np.float32)}
        training = EgoTraining(model, self.layers, self.sgd, self.degrees)
        changes = train_on_own_graphs(
            *(training, shared, private, examples, self.engine, self.threads)
        )
        keep_finite(cohort, private)
        values, rows, offsets = upload_of(changes, shared, "delta", False, self.sgd)
        sent = Messages(
            kind="delta",
            sender=cohort.phones,
            receiver=np.full(len(cohort), SERVER, np.int64),
            arrays=values,
            weight=data.counts.astype(np.float64),
            base=base,
            rows=rows,
            offsets=offsets,
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
        )
