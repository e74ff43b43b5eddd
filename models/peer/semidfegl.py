"""SemiDFEGL does not work here, because groups lack the rows of what their members go on to choose.

On ml-100k it stays below popularity, among all items and among the rows that a phone has (row
``semidfegl-ml-100k``). A server groups phones and hands out rows, members exchange vectors.

Qu et al., Semi-decentralized Federated Ego Graph Learning for Recommendation (WWW 2023).
"""

from functools import partial
from typing import Annotated

import numpy as np
from pydantic import Field

from droidloop.models.data.interactions import UserItems
from droidloop.models.evaluation.evaluator import FunctionScorer
from droidloop.models.evaluation.metrics import Scores
from droidloop.models.evaluation.task_data import TaskData
from droidloop.models.interfaces.store import PrivateStore
from droidloop.models.learning.learning import PeerLearning, Snapshot
from droidloop.models.local.local_training import LocalTraining
from droidloop.models.recommenders.mf import MF
from droidloop.platform.arrays import Array, IntArray
from droidloop.platform.errors import ScenarioError
from droidloop.platform.registry import Method
from droidloop.platform.section import Count, CountOrNone, Positive

from .ego_groups import EgoGroups
from .ego_rule import SemiDFEGL, ego_store


class SemiDFEGLSection(LocalTraining):
    """Does not work here, because groups lack rows: members swap vectors on linked ego graphs."""

    learning_rate: Positive = 0.3
    """Larger than in gossip-mf: the mean of the layers makes gradients smaller."""
    rows: Count = 400
    """How many items the members of a group hold; all, if there are fewer."""
    fakes: CountOrNone = 10
    """How many of them link the ego graphs of the group."""
    neighbours: Count = 8
    """How many members a phone remembers."""
    layers: Count = 1
    """How often vectors are passed on."""
    fuzziness: Annotated[float, Field(ge=1.001, le=100.0)] = 1.1
    """How far phones and items belong to several groups: 1 is not at all."""


def build(section: SemiDFEGLSection, recommender: MF, task: TaskData) -> PeerLearning:
    """Return phones that wait for a group and its rows, and the server that groups them.

    Raises:
        ScenarioError: there are more fakes than rows.
    """
    rows, first = min(section.rows, task.split.n_items), task.draws.child("init")
    if section.fakes > rows:
        raise ScenarioError(
            f"training.fakes = {section.fakes}: a group has {rows} rows; set at most as many"
        )
    rule = SemiDFEGL(
        *(recommender, rows, section.fakes, section.neighbours, section.layers, section.sgd),
        negatives=section.negatives,
        exclude=task.exclude,
    )
    store, data = ego_store(rule, first, task.split.n_users), task.split.train
    groups = EgoGroups(rule, data, first, fuzziness=section.fuzziness)
    return PeerLearning(
        recommender=rule.recommender,
        store=store,
        data=data,
        draws=task.draws.child("training"),
        snapshot=partial(_snapshot, rule, store, data),
        peer=rule,
        grouping=groups,
        kept=groups,
    )


def _snapshot(rule: SemiDFEGL, store: PrivateStore, data: UserItems) -> Snapshot:
    """Return what each phone scores with, as it is now."""
    columns = store.gather(np.arange(len(store)))
    return Snapshot({"trained": FunctionScorer(partial(_scores, rule, columns, data))})


def _scores(rule: SemiDFEGL, columns: dict[str, Array], data: UserItems, users: IntArray) -> Scores:
    return rule.scores({name: column[users] for name, column in columns.items()}, data.take(users))


METHOD = Method(
    kind="rule",
    name="semidfegl",
    section=SemiDFEGLSection,
    build=build,
    source="Qu et al.: Semi-decentralized Federated Ego Graph Learning (WWW 2023)",
    gives=frozenset({"peers", "grouping"}),
    needs={
        "recommender": frozenset({"mf"}),
        "table": frozenset({"dense"}),
        "protocol": frozenset({"peers", "groups"}),
    },
)
