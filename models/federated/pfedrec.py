"""PFedRec's lead does not hold here, because FedMF with each phone's own table is as good.

On ml-100k (row ``pfedrec-ml-100k``) the published figure is reproduced under its own protocol, and
so is its lead over FedMF with the server's table; where the test item may be a negative, own tables
are behind the server's. A personal score function instead of a user vector, and a personal item
table.

Zhang et al., Dual Personalization on Federated Recommendation (IJCAI 2023). Both are trained on
the phone in every round: the score function stays there, the changes of the item rows go to the
server. What a phone then scores with are its own rows, see ``personal.py``.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch

from droidloop.models.evaluation.evaluator import ModelScorer
from droidloop.models.evaluation.personal_tables import PersonalScorer, PersonalTables
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.learning import ServerRule
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import FederatedLearning, Snapshot
from droidloop.models.recommenders.personal_score import PersonalScore
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import Method

from .fedmf import FedMF
from .server_section import FoldedTraining


@dataclass(frozen=True)
class PFedRec(FedMF):
    """Client rule of PFedRec: that of FedMF with the score function as what stays.

    The server averages the tables; as the loss is a sum and rows are averaged over the phones
    that touched them, no step of the size of the item table is needed as in the authors' code.
    """

    recommender: PersonalScore

    def __post_init__(self) -> None:
        if not isinstance(self.recommender, PersonalScore):
            raise TypeError(f"PFedRec trains a personal score function, not {self.recommender!r}")
        super().__post_init__()


class PFedRecSection(FoldedTraining):
    """No better than fedmf here, table by table: a score function and an item table of its own."""


def build(section: PFedRecSection, recommender: PersonalScore, task: TaskData) -> FederatedLearning:
    """Return PFedRec as *section* wants it.

    Raises:
        ScenarioError: the table is not read by row, and phones keep rows.
    """
    if not all(one.by_row for one in recommender.items.parameters.values()):
        raise ScenarioError(
            "training.rule = 'pfedrec': each phone keeps rows of its own, and this model.table "
            "has parameters that every item reads whole; choose another table"
        )
    first = task.draws.child("init")
    client = PFedRec(recommender, section.sgd, section.negatives, task.exclude)
    server = section.fold(recommender.init(first), task.staleness)
    store = PrivateStore.of(recommender, first, task.split.n_users)
    tables = PersonalTables(recommender.items.name, task.split.n_users)
    return FederatedLearning(
        recommender=recommender,
        store=store,
        data=task.split.train,
        draws=task.draws.child("training"),
        snapshot=partial(_snapshot, recommender, server, store, tables),
        client=client,
        server=server,
        on_computed=tables.remember,
        kept=tables,
    )


def _snapshot(
    recommender: PersonalScore, server: ServerRule, store: PrivateStore, tables: PersonalTables
) -> Snapshot:
    """Return every phone's own score function, on its own table and on the server's."""
    private = store.gather(np.arange(len(store)))
    params = {**server.params, **{name: torch.from_numpy(rows) for name, rows in private.items()}}
    return Snapshot(
        {
            "trained": PersonalScorer(recommender, params, tables.snapshot()),
            "global table": ModelScorer(recommender, params),
        }
    )


METHOD = Method(
    kind="rule",
    name="pfedrec",
    section=PFedRecSection,
    build=build,
    source="Zhang et al.: Dual Personalization on Federated Recommendation (IJCAI 2023)",
    gives=frozenset({"server", "sums"}),
    needs={"recommender": frozenset({"personal-score"}), "protocol": frozenset({"server"})},
    usual={"recommender": "personal-score"},
)
