"""FedMF: each phone trains its own user vector and copies of the rows that its items read.

Chai et al., Secure Federated Matrix Factorization (IEEE Intelligent Systems 2020), without its
encryption, and with local epochs as in FedAvg (McMahan et al. 2017).
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import (
    Cohort,
    Cost,
    ItemRecommender,
)
from droidloop.models.learning.device_step import trains_on_devices
from droidloop.models.learning.learning import FederatedLearning
from droidloop.models.learning.shared_model import Shared, shared_learning
from droidloop.models.local.cohort import Engine, train_locally
from droidloop.models.local.sgd import Sgd
from droidloop.platform.draws import Draws
from droidloop.platform.messages import Messages
from droidloop.platform.registry import Method

from .server_section import FoldedTraining
from .uploads import Kind, keep_finite, messages_of, task_of, upload_of

Upload = Literal["part", "full"]


@dataclass(frozen=True)
class FedMF:
    """Client rule of federated matrix factorisation.

    Attributes:
        recommender: any one of a table of items; gives the loss and the regulariser.
        sgd: steps, local epochs and batch. With a share of the phones in each round, more local
            epochs make up for the rounds that a user misses.
        negatives: items drawn for each local item, anew in every round.
        exclude: by phone, the items never drawn as negatives; None: the local data of the step,
            which is all that an honest phone knows (``clean``).
        upload: ``part`` sends the touched rows, which shows which items they are (or with which
            they share rows), ``full`` whole tables. What is not read by row is sent whole.
        kind: ``delta`` sends trained minus received values, ``parameters`` the trained values,
            ``gradient`` the received minus the trained ones over their step: after one epoch in
            one batch that is the gradient of the local loss.
        engine: ``numba``, a compiled kernel where there is one, or ``torch``.
        threads: of kernels; None: one a processor. The result does not depend on it.
    """

    recommender: ItemRecommender
    sgd: Sgd = field(default_factory=Sgd)
    negatives: int = 4
    exclude: UserItems | None = None
    upload: Upload = "part"
    kind: Kind = "delta"
    engine: Engine = "numba"
    threads: int | None = None

    def __post_init__(self) -> None:
        for value, known in ((self.upload, Upload), (self.kind, Kind), (self.engine, Engine)):
            if value not in get_args(known):
                raise ValueError(f"{value!r} is none of {', '.join(get_args(known))}")
        if self.negatives < int(self.recommender.needs_negatives):
            raise ValueError(f"{self.negatives} negatives teach nothing to {self.recommender!r}")

    def step(
        self, cohort: Cohort, inbox: Messages | None, data: UserItems, draws: Draws
    ) -> Messages:
        """Train what is private and what the examples read of the received parameters; upload it.

        *inbox* holds one model for all phones of the cohort. A phone whose training ends in NaN
        or infinity keeps its old private values; its upload shows what happened, and server rules
        refuse it. A phone without items sends no row, and whole parameters that did not move, at
        the weight 0: weights are the numbers of local items.

        Raises:
            ValueError: the inbox is not one model, *data* not one row a phone, or items are
                unknown.
        """
        shared, base, examples = task_of(self, cohort, inbox, data, draws)
        model = self.recommender
        private = {
            name: np.array(cohort.private[name], np.float32) for name in sorted(model.private)
        }
        changes = train_locally(
            *(model, shared, private, examples, self.sgd, self.engine, self.threads)
        )
        keep_finite(cohort, private)
        named = upload_of(changes, shared, self.kind, self.upload == "full", self.sgd)
        return messages_of(self, cohort, data, base, self.kind, named)

    def cost(self, cohort: Cohort, data: UserItems) -> Cost:
        """Return what the step takes on each phone: all epochs, but the memory of one."""
        pairs = data.counts * (1 + self.negatives)
        trained = self.recommender.cost(pairs * self.sgd.epochs)
        ram_bytes = self.recommender.cost(pairs).ram_bytes
        operators = self.sgd.operators(data.counts, self.negatives)
        return Cost(trained.flops, trained.moved_bytes, ram_bytes, operators)


class FedMFSection(FoldedTraining):
    """Phones train their user's vector and the item rows they touch; the server folds the rows."""

    upload: Literal["part", "full"] = "part"
    """The touched rows, which shows which items they are; or the whole table."""


def build(section: FedMFSection, recommender: Shared, task: TaskData) -> FederatedLearning:
    """Return FedMF as *section* wants it."""
    client = FedMF(recommender, section.sgd, section.negatives, task.exclude, upload=section.upload)
    server = section.fold(recommender.init(task.draws.child("init")), task.staleness)
    steps = client if trains_on_devices(recommender) else None
    return shared_learning(recommender, task, client, server, steps=steps)


METHOD = Method(
    kind="rule",
    name="fedmf",
    section=FedMFSection,
    build=build,
    source="Chai et al.: Secure Federated Matrix Factorization (IEEE Intelligent Systems 2020)",
    gives=frozenset({"server", "sums", "ships", "device-step"}),
    needs={
        "recommender": frozenset({"item-table", "user-vector", "ships"}),
        "protocol": frozenset({"server"}),
    },
)
